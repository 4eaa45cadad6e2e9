package loop

import "testing"

func TestTraceparent(t *testing.T) {
	for name, c := range map[string]struct{ xray, want string }{
		"sampled":     {"Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1", "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01"},
		"not sampled": {"Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0;Lineage=a:0", "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-00"},
		"no parent":   {"Root=1-5759e988-bd862e3fe1be46a994272793", ""},
		"not hex":     {"Root=1-5759e98g-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8", ""},
		"nothing":     {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := traceparent(c.xray); got != c.want {
				t.Errorf("traceparent(%q) = %q, want %q", c.xray, got, c.want)
			}
		})
	}
}
