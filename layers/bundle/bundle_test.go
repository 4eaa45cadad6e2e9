package bundle

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/faas-lambda/faas-lambda/bootstrap/launch"
	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/flate"
)

// deflated is content that is kept compressed.
type deflated struct {
	content
	raw []byte
}

func (d deflated) OpenDeflated() (layers.Deflated, error) {
	return layers.Deflated{Body: io.NopCloser(bytes.NewReader(d.raw)), Size: int64(len(d.raw)), CRC32: crc32.ChecksumIEEE([]byte(d.content))}, nil
}

func deflate(t testing.TB, s string) deflated {
	t.Helper()
	var buf bytes.Buffer
	w, err := flate.NewWriter(&buf, 9)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(w, s)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return deflated{content(s), buf.Bytes()}
}

func treeOf(t testing.TB, entries ...layers.Entry) *layers.Tree {
	t.Helper()
	tree, err := layers.NewTree(entries)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func packageOf(tree *layers.Tree) Package {
	return Package{
		Image: "sha256:0123", Root: launch.Root, Tree: tree, Bootstrap: []byte("program"),
		Start: layers.Start{Watchdog: layers.OfWatchdog, Command: []string{"fwatchdog"}, Dir: "/var/task/home", Env: []string{"A=1"}},
	}
}

func TestTheZipHoldsTheTree(t *testing.T) {
	packed := strings.Repeat("packed ", 1000)
	p := packageOf(treeOf(t,
		layers.Entry{Path: "d", Type: layers.Dir, Mode: 0o700 | fs.ModeSticky},
		layers.Entry{Path: "d/packed", Type: layers.File, Mode: 0o600, Size: int64(len(packed)), Content: deflate(t, packed)},
		layers.Entry{Path: "d/plain", Type: layers.File, Mode: 0o4711, Size: 5, Content: content("plain")},
		layers.Entry{Path: "empty", Type: layers.File, Mode: 0, Content: content("")},
		layers.Entry{Path: "link", Type: layers.Symlink, Mode: 0o777, Link: "d/plain"},
		layers.Entry{Path: "über", Type: layers.File, Mode: 0o755, Size: 1, Content: content("u")},
		layers.Entry{Path: "latin-\xff", Type: layers.File, Mode: 0o444, Size: 1, Content: content("l")},
	))
	var steps []layers.Step
	p.Progress = func(s layers.Step) { steps = append(steps, s) }
	var buf bytes.Buffer
	sum, err := Write(t.Context(), &buf, p)
	if err != nil {
		t.Fatal(err)
	}
	spec := map[string]string{}
	var got []string
	z, err := zip.NewReader(bytes.NewReader(buf.Bytes()), int64(buf.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r) // checks the CRC
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		if !f.Modified.Equal(z.File[0].Modified) || f.Modified.Year() != 1980 {
			t.Errorf("%s is of %v", f.Name, f.Modified)
		}
		spec[f.Name] = string(data)
		got = append(got, f.Mode().String()+" "+f.Name)
	}
	want := []string{
		"drwxr-xr-x .faas-lambda/", "-rw-r--r-- .faas-lambda/launch.json", "-rwxr-xr-x bootstrap",
		"drwxr-xr-x d/", "-rw-r--r-- d/packed", "-rwxr-xr-x d/plain", "---------- empty",
		"-r--r--r-- latin-\xff", "Lrwxrwxrwx link", "-rwxr-xr-x über",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for name, text := range map[string]string{"bootstrap": "program", "d/packed": packed, "d/plain": "plain", "link": "d/plain", "über": "u"} {
		if spec[name] != text {
			t.Errorf("%s holds %.30q", name, spec[name])
		}
	}
	parsed, err := launch.Parse([]byte(spec[launch.File]))
	if err != nil {
		t.Fatal(err)
	}
	wantSpec := launch.Spec{Version: 1, Image: p.Image, Root: p.Root, Watchdog: launch.OfWatchdog, Command: p.Start.Command, Dir: p.Start.Dir, Env: p.Start.Env}
	if diff := cmp.Diff(wantSpec, parsed); diff != "" {
		t.Errorf("launch.json (-want +got)\n%s", diff)
	}
	hash := sha256.Sum256(buf.Bytes())
	unzipped := int64(len(packed) + 5 + 1 + 1 + len("program") + len(spec[launch.File]))
	wantSum := Summary{Files: 7, Dirs: 2, Symlinks: 1, Unzipped: unzipped, Zipped: int64(buf.Len()), SHA256: base64.StdEncoding.EncodeToString(hash[:])}
	if diff := cmp.Diff(wantSum, sum); diff != "" {
		t.Errorf("summary (-want +got)\n%s", diff)
	}
	if last := steps[len(steps)-1]; last.Done != unzipped || last.Total != unzipped {
		t.Errorf("progress ended at %+v", last)
	}
}

func TestWatchdogNamesAreThoseOfLaunch(t *testing.T) {
	for ours, theirs := range map[string]launch.Watchdog{
		layers.OfWatchdog: launch.OfWatchdog, layers.ClassicWatchdog: launch.Classic, layers.NoWatchdog: launch.None,
	} {
		if ours != string(theirs) {
			t.Errorf("%s is not %s", ours, theirs)
		}
	}
}

type failing struct{}

func (failing) Open() (io.ReadCloser, error) { return nil, errBroken }

type short struct{ content }

func (s short) OpenDeflated() (layers.Deflated, error) {
	return layers.Deflated{Body: io.NopCloser(strings.NewReader("")), Size: 10}, nil
}

var errBroken = errors.New("broken")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errBroken }

func TestWriteRefuses(t *testing.T) {
	big := func(p string, size int64) layers.Entry {
		return layers.Entry{Path: p, Type: layers.File, Mode: 0o644, Size: size, Content: failing{}}
	}
	dir := func(p string) layers.Entry { return layers.Entry{Path: p, Type: layers.Dir, Mode: 0o755} }
	badStart := packageOf(treeOf(t))
	badStart.Start.Dir = "relative"
	for name, c := range map[string]struct {
		p    Package
		w    io.Writer
		want error
		says string
	}{
		"too large": {packageOf(treeOf(t, dir("opt"), dir("opt/jdk"), dir("opt/jdk/lib"), big("opt/jdk/lib/modules", 200_000_000), big("opt/x", 1_000_000), big("fn", 61_144_000))),
			nil, ErrTooLarge, "the limit is 262144000; the largest directories are /opt/jdk (200.0 MB), / (61.1 MB), /opt (1.0 MB)"},
		"bootstrap is taken":      {packageOf(treeOf(t, big("bootstrap", 1))), nil, ErrReserved, "/bootstrap"},
		"bootstrap directory":     {packageOf(treeOf(t, dir("bootstrap"))), nil, ErrReserved, "/bootstrap"},
		".faas-lambda is taken":   {packageOf(treeOf(t, dir(".faas-lambda"))), nil, ErrReserved, "/.faas-lambda"},
		"start that is none":      {badStart, nil, launch.ErrInvalid, ""},
		"content is lost":         {packageOf(treeOf(t, big("fn", 1))), nil, errBroken, "fn"},
		"content of another size": {packageOf(treeOf(t, layers.Entry{Path: "fn", Type: layers.File, Size: 9, Content: content("8 bytes.")})), nil, nil, "fewer bytes than 9"},
		"content that is longer":  {packageOf(treeOf(t, layers.Entry{Path: "fn", Type: layers.File, Size: 7, Content: content("8 bytes.")})), nil, nil, "more bytes than 7"},
		"compressed content cut":  {packageOf(treeOf(t, layers.Entry{Path: "fn", Type: layers.File, Size: 9, Content: short{}})), nil, io.ErrUnexpectedEOF, "fn"},
		"disk full":               {packageOf(treeOf(t)), full{}, errBroken, "write package"},
	} {
		t.Run(name, func(t *testing.T) {
			var buf bytes.Buffer
			w := c.w
			if w == nil {
				w = &buf
			}
			_, err := Write(t.Context(), w, c.p)
			if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %v saying %q", err, c.want, c.says)
			}
			if (errors.Is(err, ErrTooLarge) || errors.Is(err, ErrReserved)) && buf.Len() > 0 {
				t.Errorf("%d bytes written", buf.Len())
			}
		})
	}
}

func TestJustBelowTheLimitIsNotTooLarge(t *testing.T) {
	p := packageOf(treeOf(t))
	sum, err := Write(t.Context(), io.Discard, p)
	if err != nil {
		t.Fatal(err)
	}
	for extra, want := range map[int64]error{MaxUnzipped - sum.Unzipped - 1: errBroken, MaxUnzipped - sum.Unzipped: ErrTooLarge} {
		p.Tree = treeOf(t, layers.Entry{Path: "fn", Type: layers.File, Size: extra, Content: failing{}})
		if _, err := Write(t.Context(), io.Discard, p); !errors.Is(err, want) {
			t.Errorf("%d bytes: %v, want %v", sum.Unzipped+extra, err, want)
		}
	}
}

func TestCancelledWriteEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Write(ctx, io.Discard, packageOf(treeOf(t))); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

// TestManyEntries writes as many entries as need ZIP64's count (APPNOTE.TXT
// 4.3.14), and as many as just do not.
func TestManyEntries(t *testing.T) {
	for _, files := range []int{math.MaxUint16 - 4, math.MaxUint16 - 3, math.MaxUint16 - 2, 70_000} {
		entries := make([]layers.Entry, files)
		for i := range entries {
			entries[i] = layers.Entry{Path: strconv.Itoa(i), Type: layers.File, Mode: 0o644, Content: content("")}
		}
		var buf bytes.Buffer
		if _, err := Write(t.Context(), &buf, packageOf(treeOf(t, entries...))); err != nil {
			t.Fatal(err)
		}
		z, err := zip.NewReader(bytes.NewReader(buf.Bytes()), int64(buf.Len()))
		if err != nil {
			t.Fatal(err)
		}
		if got := len(z.File) - 3; got != files { // bootstrap, .faas-lambda and launch.json
			t.Errorf("%d of %d files", got, files)
		}
		if got := bytes.Contains(buf.Bytes(), []byte("PK\x06\x06")); got != (files+3 >= math.MaxUint16) {
			t.Errorf("%d files: ZIP64 is %v", files, got)
		}
	}
}

// TestFourGigabytesAreRefused is about what needs ZIP64's sizes: Lambda takes no
// such package, so that they are not written.
func TestFourGigabytesAreRefused(t *testing.T) {
	a := &archive{out: newOutput(io.Discard)}
	if err := a.begin(header{name: "fn", original: math.MaxUint32, compressed: 1}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a file of 4 GB: %v", err)
	}
	a.out.n = math.MaxUint32 - 10
	if err := a.begin(header{name: "fn", original: 20, compressed: 20}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a zip of 4 GB: %v", err)
	}
	if err := errors.Join(a.out.close(), (&archive{out: &output{n: math.MaxUint32}}).end()); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a directory behind 4 GB: %v", err)
	}
}
