package trigger

import "testing"

func TestExamplesOfKindsAreTaken(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Kinds {
		if seen[k.Name] || k.Value == "" || k.Meaning == "" {
			t.Errorf("kind %s is there twice, or not complete", k.Name)
		}
		seen[k.Name] = true
		made, err := k.Read(k.Example)
		if err != nil || len(made) != 1 || made[0].Kind != k.Name {
			t.Errorf("%s: %q makes %+v, %v", k.Name, k.Example, made, err)
		}
	}
}

// FuzzKind reads a value as each kind does. What is read has a permission by which
// its kind is known again.
func FuzzKind(f *testing.F) {
	for _, k := range Kinds {
		f.Add(k.Example)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, k := range Kinds {
			made, err := k.Read(value)
			if err == nil && len(made) == 0 {
				t.Errorf("%s: %q makes nothing", k.Name, value)
			}
			for _, one := range made {
				if one.Kind != k.Name || kindOf(one.sid("f")) != k.Name {
					t.Errorf("%s: the statement of %+v is %q", k.Name, one, one.sid("f"))
				}
			}
		}
	})
}
