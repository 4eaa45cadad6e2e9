package keep

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSavedStateIsLoaded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "below", "state.json")
	state := map[string]int{"kept": 1}
	if err := Load(path, &state); err != nil || state["kept"] != 1 {
		t.Fatalf("a file that is not there: %v, %v", state, err)
	}
	state["more"] = 2
	if err := Save(path, state); err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	if err := Load(path, &got); err != nil || got["more"] != 2 {
		t.Errorf("%v, %v", got, err)
	}
	if err := Save(path, func() {}); err == nil {
		t.Error("a function was saved")
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Load(path, &got); err == nil {
		t.Error("garbage was loaded")
	}
}
