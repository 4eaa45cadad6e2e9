package filter

import "testing"

func TestPatterns(t *testing.T) {
	for name, c := range map[string]struct {
		pattern, value string
		want           bool
	}{
		"a value":                 {`{"a":["x","y"]}`, `{"a":"y","b":1}`, true},
		"another value":           {`{"a":["x"]}`, `{"a":"z"}`, false},
		"no value":                {`{"a":["x"]}`, `{}`, false},
		"a number":                {`{"a":[1]}`, `{"a":1.0}`, true},
		"true and null":           {`{"a":[true],"b":[null]}`, `{"a":true,"b":null}`, true},
		"null is not nothing":     {`{"a":[null]}`, `{}`, false},
		"nested":                  {`{"a":{"b":["x"]}}`, `{"a":{"b":"x"}}`, true},
		"nested in a list":        {`{"a":{"b":["x"]}}`, `{"a":[{"b":"y"},{"b":"x"}]}`, true},
		"a list of values":        {`{"a":["x"]}`, `{"a":["w","x"]}`, true},
		"prefix":                  {`{"a":[{"prefix":"ab"}]}`, `{"a":"abc"}`, true},
		"prefix of either case":   {`{"a":[{"prefix":{"equals-ignore-case":"AB"}}]}`, `{"a":"abc"}`, true},
		"suffix":                  {`{"a":[{"suffix":".jpg"}]}`, `{"a":"b.png"}`, false},
		"either case":             {`{"a":[{"equals-ignore-case":"Yes"}]}`, `{"a":"yES"}`, true},
		"wildcard":                {`{"a":[{"wildcard":"in/*.j*g"}]}`, `{"a":"in/a/b.jpg"}`, true},
		"wildcard with a star":    {`{"a":[{"wildcard":"a\\*b"}]}`, `{"a":"axb"}`, false},
		"there":                   {`{"a":[{"exists":true}]}`, `{"a":null}`, true},
		"not there":               {`{"a":[{"exists":false}]}`, `{"b":1}`, true},
		"not there, nested":       {`{"a":{"b":[{"exists":false}]}}`, `{}`, true},
		"not there, but is":       {`{"a":[{"exists":false}]}`, `{"a":1}`, false},
		"numeric":                 {`{"a":[{"numeric":[">",0,"<=",5]}]}`, `{"a":5}`, true},
		"numeric outside":         {`{"a":[{"numeric":[">",0,"<",5]}]}`, `{"a":5}`, false},
		"numeric of text":         {`{"a":[{"numeric":["=",5]}]}`, `{"a":"5"}`, false},
		"anything but":            {`{"a":[{"anything-but":["x","y"]}]}`, `{"a":"z"}`, true},
		"anything but that":       {`{"a":[{"anything-but":"x"}]}`, `{"a":"x"}`, false},
		"anything but nothing":    {`{"a":[{"anything-but":"x"}]}`, `{}`, false},
		"anything but prefixes":   {`{"a":[{"anything-but":{"prefix":["x","y"]}}]}`, `{"a":"yz"}`, false},
		"cidr":                    {`{"a":[{"cidr":"10.0.0.0/24"}]}`, `{"a":"10.0.0.7"}`, true},
		"cidr elsewhere":          {`{"a":[{"cidr":"10.0.0.0/24"}]}`, `{"a":"10.0.1.7"}`, false},
		"one of two":              {`{"$or":[{"a":[1]},{"b":[2]}]}`, `{"b":2}`, true},
		"none of two":             {`{"c":[1],"$or":[{"a":[1]},{"b":[2]}]}`, `{"c":1}`, false},
		"no object":               {`{"a":[1]}`, `[1]`, false},
		"no JSON":                 {`{"a":[1]}`, `a`, false},
		"an empty pattern is all": {`{}`, `{"a":1}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Parse([]byte(c.pattern))
			if err != nil {
				t.Fatal(err)
			}
			if got := p.MatchJSON([]byte(c.value)); got != c.want {
				t.Errorf("%s on %s: %v", c.pattern, c.value, got)
			}
		})
	}
}

func TestBadPatterns(t *testing.T) {
	for _, pattern := range []string{
		``, `a`, `[]`, `{} {}`, `{"a":"x"}`, `{"a":[]}`, `{"a":[["x"]]}`, `{"a":[{"like":"x"}]}`, `{"a":[{"prefix":1}]}`, `{"a":[{"prefix":"a","suffix":"b"}]}`,
		`{"a":[{"numeric":[">"]}]}`, `{"a":[{"numeric":["~",1]}]}`, `{"a":[{"exists":"yes"}]}`, `{"a":[{"cidr":"x"}]}`, `{"$or":[]}`, `{"$or":[1]}`,
		`{"a":[{"anything-but":[]}]}`,
	} {
		if _, err := Parse([]byte(pattern)); err == nil {
			t.Errorf("%s is taken", pattern)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"a":[{"anything-but":{"prefix":["x"]}}],"$or":[{"b":[1]}]}`), []byte(`{"a":"y","b":1}`))
	f.Add([]byte(`{"a":[{"wildcard":"*a*"}]}`), []byte(`{"a":"bab"}`))
	f.Fuzz(func(_ *testing.T, pattern, value []byte) {
		if p, err := Parse(pattern); err == nil {
			p.MatchJSON(value)
		}
	})
}
