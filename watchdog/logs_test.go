package watchdog

import (
	"bytes"
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
)

func TestLogForms(t *testing.T) {
	var out bytes.Buffer
	opt := Options{Stdout: &out, Stderr: &out, RequestID: func() string { return "id" }}
	for name, c := range map[string]struct {
		cfg      Config
		in, want string // a regular expression
	}{
		"plain":                  {Config{}, "a\n\nb", "^a\n\nb\n$"},
		"prefixed":               {Config{PrefixLogs: true}, "a\nb\n", `^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d stderr: a\n\d.* stderr: b\n$`},
		"JSON":                   {Config{JSONLogs: true, PrefixLogs: true}, "say \"hi\"\n", `^{"timestamp":"[-0-9T:.]+Z","level":"ERROR","message":"say \\"hi\\"","requestId":"id"}\n$`},
		"JSON already":           {Config{JSONLogs: true}, ` {"a":1}` + "\n", `^ {"a":1}\n$`},
		"JSON that is no object": {Config{JSONLogs: true}, "{a}\n", `"message":"{a}"`},
	} {
		t.Run(name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(c.in), iotest.OneByteReader(strings.NewReader(c.in))} {
				out.Reset()
				if err := newLogs(c.cfg, opt).stderr.copy(r); err != nil {
					t.Fatal(err)
				}
				if !regexp.MustCompile(c.want).MatchString(out.String()) {
					t.Errorf("%q, want %s", out.String(), c.want)
				}
			}
		})
	}
}

// lines collects writes, each of which must be whole lines or a part of a long one.
type lines struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(p)
}

func TestLinesOfAnyLengthStayWhole(t *testing.T) {
	for name, cfg := range map[string]Config{"plain": {}, "prefixed": {PrefixLogs: true}} {
		t.Run(name, func(t *testing.T) {
			out := &lines{}
			w := newLogs(cfg, Options{Stdout: out, Stderr: out}).stdout
			var all sync.WaitGroup
			sizes := []int{0, 1, 4095, 4096, 4097, 100_000, heldLine - 1, heldLine, heldLine + 1, 3*heldLine + 7}
			for writer := range 4 {
				all.Go(func() {
					var in []string
					for _, size := range sizes {
						in = append(in, strings.Repeat(string(rune('a'+writer)), size))
					}
					if err := w.copy(strings.NewReader(strings.Join(in, "\n"))); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			seen := map[string]int{}
			for line := range strings.Lines(out.out.String()) {
				line = strings.TrimSuffix(line, "\n")
				if _, rest, ok := strings.Cut(line, " stdout: "); ok {
					line = rest
				}
				if line != "" && strings.Trim(line, line[:1]) != "" {
					t.Errorf("lines are mixed: %.20q… (%d bytes)", line, len(line))
				}
				seen[line]++
			}
			for writer := range 4 {
				for _, size := range sizes[1:] {
					if seen[strings.Repeat(string(rune('a'+writer)), size)] != 1 {
						t.Errorf("line of %d bytes of writer %d is not there once", size, writer)
					}
				}
			}
		})
	}
}

func FuzzLogs(f *testing.F) {
	f.Add([]byte("a\nb"), true)
	f.Fuzz(func(t *testing.T, data []byte, asJSON bool) {
		var out bytes.Buffer
		w := newLogs(Config{JSONLogs: asJSON}, Options{Stdout: &out}).stdout
		if err := w.copy(iotest.HalfReader(bytes.NewReader(data))); err != nil {
			t.Fatal(err)
		}
		if asJSON {
			for line := range bytes.Lines(out.Bytes()) {
				if !json.Valid(line) {
					t.Errorf("no JSON: %q", line)
				}
			}
			return
		}
		want := string(data)
		if want != "" && !strings.HasSuffix(want, "\n") {
			want += "\n"
		}
		if out.String() != want {
			t.Errorf("%q became %q", data, out.String())
		}
	})
}
