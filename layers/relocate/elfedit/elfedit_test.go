package elfedit

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// memory is content in memory that comes byte by byte when slow.
type memory struct {
	data string
	key  string
	slow bool
}

func (m memory) Open() (io.ReadCloser, error) {
	var r io.Reader = strings.NewReader(m.data)
	if m.slow {
		r = iotest.OneByteReader(r)
	}
	return io.NopCloser(r), nil
}

func (m memory) Key() string { return m.key }

// segmentOf is a program header.
type segmentOf struct {
	kind                    elf.ProgType
	offset, address, length uint64
}

// build makes an ELF file of segments and of text that stands at offsets.
func build(segments []segmentOf, text map[int]string) string {
	b := make([]byte, headerSize)
	copy(b, elf.ELFMAG)
	b[elf.EI_CLASS], b[elf.EI_DATA], b[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	binary.LittleEndian.PutUint16(b[16:], uint16(elf.ET_DYN))
	binary.LittleEndian.PutUint16(b[18:], uint16(elf.EM_X86_64))
	binary.LittleEndian.PutUint32(b[20:], 1)
	binary.LittleEndian.PutUint64(b[32:], headerSize)
	binary.LittleEndian.PutUint16(b[52:], headerSize)
	binary.LittleEndian.PutUint16(b[54:], segmentSize)
	binary.LittleEndian.PutUint16(b[56:], uint16(len(segments)))
	for _, s := range segments {
		h := make([]byte, segmentSize)
		binary.LittleEndian.PutUint32(h, uint32(s.kind))
		binary.LittleEndian.PutUint64(h[8:], s.offset)
		binary.LittleEndian.PutUint64(h[16:], s.address)
		binary.LittleEndian.PutUint64(h[32:], s.length)
		b = append(b, h...)
	}
	for at, s := range text {
		if len(b) < at+len(s) {
			b = append(b, make([]byte, at+len(s)-len(b))...)
		}
		copy(b[at:], s)
	}
	return string(b)
}

func dynamic(pairs ...uint64) string {
	var b []byte
	for _, v := range pairs {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return string(b)
}

// program is a dynamic program whose strings stand before, or far behind, its
// dynamic section.
func program(strings, dyn int) string {
	const names = "\x00libc.so.6\x00libz.so.1\x00/opt/lib:$ORIGIN\x00me.so\x00"
	section := dynamic(uint64(elf.DT_NEEDED), 1, uint64(elf.DT_NEEDED), 11, uint64(elf.DT_RUNPATH), 21, uint64(elf.DT_SONAME), 38,
		uint64(elf.DT_STRTAB), uint64(0x10000+strings), uint64(elf.DT_NULL), 0)
	return build([]segmentOf{
		{elf.PT_INTERP, 0x400, 0x10400, 28},
		{elf.PT_LOAD, 0, 0x10000, uint64(max(strings, dyn) + 0x1000)},
		{elf.PT_DYNAMIC, uint64(dyn), uint64(0x10000 + dyn), uint64(len(section))},
	}, map[int]string{0x400: "/lib64/ld-linux-x86-64.so.2\x00", strings: names, dyn: section, max(strings, dyn) + 0x1000: "end"})
}

func read(s string) (Info, error) { return Read(memory{data: s}.Open, int64(len(s))) }

func TestReadFindsWhatTheLoaderNeeds(t *testing.T) {
	for name, place := range map[string][2]int{
		"strings first":               {0x500, 0x2000},
		"strings last":                {0x3000, 0x600},
		"far apart":                   {0x500, 3 * headKept},
		"strings far behind":          {4 * headKept, 0x600},
		"both far, strings first":     {2 * headKept, 4 * headKept},
		"across the end of the head":  {headKept - 10, headKept + 0x1000},
		"section across the head end": {0x500, headKept - 8},
	} {
		t.Run(name, func(t *testing.T) {
			info, err := read(program(place[0], place[1]))
			if err != nil {
				t.Fatal(err)
			}
			want := Info{
				Machine: elf.EM_X86_64, Type: elf.ET_DYN, Interp: "/lib64/ld-linux-x86-64.so.2", Dynamic: true, Soname: "me.so",
				Needed: []string{"libc.so.6", "libz.so.1"}, Runpath: []string{"/opt/lib", "$ORIGIN"},
				InterpAt: headerSize, RunpathAt: []int64{int64(place[1] + 32)},
			}
			if diff := cmp.Diff(want, info); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	good := program(0x500, 0x600)
	edit := func(at int, s string) string { return good[:at] + s + good[at+len(s):] }
	for name, c := range map[string]struct {
		data string
		want error
	}{
		"nothing":                       {"", ErrDamaged},
		"cut header":                    {good[:30], ErrDamaged},
		"cut segments":                  {good[:100], ErrDamaged},
		"cut before the loader's name":  {good[:0x400], ErrDamaged},
		"32-bit":                        {edit(elf.EI_CLASS, "\x01"), ErrClass},
		"big-endian":                    {edit(elf.EI_DATA, "\x02"), ErrClass},
		"segments of another size":      {edit(54, "\x20"), ErrDamaged},
		"too many segments":             {edit(56, "\xff\xff"), ErrDamaged},
		"segments behind the end":       {edit(32, "\xff\xff\xff\xff\xff\xff\xff\x7f"), ErrDamaged},
		"loader's name behind the end":  {edit(headerSize+8, "\xff\xff\xff\xff\xff\xff\xff\xff"), ErrDamaged},
		"loader's name without end":     {edit(headerSize+32, "\xff\xff\xff"), ErrDamaged},
		"endless dynamic section":       {edit(headerSize+2*segmentSize+32, "\xff\xff\xff\xff"), ErrDamaged},
		"strings that are not mapped":   {edit(0x600+4*16+8, "\x00\x00\x00\x09"), ErrDamaged},
		"a string that is out of reach": {edit(0x600+8, "\x00\x00\x00\x7f"), ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			if info, err := read(c.data); !errors.Is(err, c.want) {
				t.Errorf("%+v, %v, want %v", info, err, c.want)
			}
		})
	}
}

func TestReadErrorsAreKept(t *testing.T) {
	broken := errors.New("disk")
	_, err := Read(func() (io.ReadCloser, error) { return nil, broken }, 1000)
	if !errors.Is(err, broken) || errors.Is(err, ErrDamaged) {
		t.Errorf("%v", err)
	}
}

func TestEditedContent(t *testing.T) {
	data := strings.Repeat("0123456789", 1000)
	edits := []Edit{{5000, []byte("FIFTY")}, {3, []byte("abc")}, {9998, []byte("zz")}, {6, []byte("d")}}
	for _, slow := range []bool{false, true} {
		c := NewContent(memory{data: data, key: "k", slow: slow}, edits, []byte("tail"))
		want := data[:3] + "abcd" + data[7:5000] + "FIFTY" + data[5005:9998] + "zz" + "tail"
		for range 2 {
			r, err := c.Open()
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			if err := errors.Join(err, r.Close()); err != nil || string(got) != want {
				t.Errorf("slow %v: wrong content, %v", slow, err)
			}
		}
	}
	if NewContent(memory{data: data}, edits, nil).Key() != "" {
		t.Error("content without a key got one")
	}
	keys := map[string]bool{}
	for _, c := range []*Content{
		NewContent(memory{key: "k"}, edits, nil), NewContent(memory{key: "l"}, edits, nil), NewContent(memory{key: "k"}, edits[:3], nil),
		NewContent(memory{key: "k"}, edits, []byte("x")), NewContent(memory{key: "k"}, nil, []byte("x")),
	} {
		keys[c.Key()] = true
	}
	if len(keys) != 5 {
		t.Errorf("%d keys of 5 contents: %v", len(keys), keys)
	}
}

// TestInterpreterIsReadBack edits a program and reads it again with Go's own
// reader of ELF files.
func TestInterpreterIsReadBack(t *testing.T) {
	data := program(0x500, 0x2000)
	info, err := read(data)
	if err != nil {
		t.Fatal(err)
	}
	edits, tail := SetInterp(info, int64(len(data)), "/var/task/lib64/ld-linux-x86-64.so.2")
	r, err := NewContent(memory{data: data}, append(edits, DropRunpath(info)...), tail).Open()
	if err != nil {
		t.Fatal(err)
	}
	edited, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(edited))
	if err != nil {
		t.Fatal(err)
	}
	name, err := io.ReadAll(f.Progs[0].Open())
	if err != nil || string(name) != "/var/task/lib64/ld-linux-x86-64.so.2\x00" || f.Progs[0].Vaddr != 0x10400 {
		t.Errorf("%q, %v", name, err)
	}
	again, err := read(string(edited))
	if err != nil || again.Interp != "/var/task/lib64/ld-linux-x86-64.so.2" || len(again.Runpath) != 0 || len(again.Needed) != 2 {
		t.Errorf("%+v, %v", again, err)
	}
}

// TestGoIsKnown reads the program of this test, which Go's linker made.
func TestGoIsKnown(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Clean(self))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := read(string(data)); err != nil || !info.Go {
		t.Errorf("%+v, %v", info, err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(program(0x500, 0x600)))
	f.Add([]byte(program(0x900, 0x600)))
	f.Fuzz(func(t *testing.T, data []byte) {
		info, err := read(string(data))
		if err != nil {
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrClass) {
				t.Fatal(err)
			}
			return
		}
		if len(info.Interp) > maxString || info.InterpAt > int64(len(data)) {
			t.Errorf("%+v", info)
		}
		if info.Interp == "" {
			return
		}
		edits, tail := SetInterp(info, int64(len(data)), "/new")
		r, err := NewContent(memory{data: string(data)}, edits, tail).Open()
		if err != nil {
			t.Fatal(err)
		}
		edited, err := io.ReadAll(r)
		if err != nil || len(edited) != len(data)+len("/new\x00") {
			t.Errorf("%d bytes became %d, %v", len(data), len(edited), err)
		}
	})
}

// TestGoIsKnownWithoutABuildID builds a program as those who want the same bytes
// everywhere do.
func TestGoIsKnownWithoutABuildID(t *testing.T) {
	dir := t.TempDir()
	source, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-s -w -buildid=", "-o", program, source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	data, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := read(string(data)); err != nil || !info.Go || info.Interp != "" {
		t.Errorf("%+v, %v", info, err)
	}
}
