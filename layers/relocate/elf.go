package relocate

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/faas-lambda/faas-lambda/layers"
)

// Sizes in a 64-bit ELF file (ELF-64 Object File Format 1.5, figures 2 and 6).
const (
	headerSize    = 64
	segmentSize   = 56
	maxSegments   = 128
	maxInterp     = 4096
	machineAMD64  = elf.EM_X86_64
	machineARM64  = elf.EM_AARCH64
	classOffset   = 4
	machineOffset = 18
)

func isELF(head []byte) bool { return bytes.HasPrefix(head, []byte(elf.ELFMAG)) }

// checkELF refuses a program for another processor, and one that needs an
// interpreter: it would look for it outside the package. Only the program
// headers are read, because they are all that Linux itself looks at.
func checkELF(e layers.Entry, arch string) error {
	interp, machine, err := inspect(e)
	if err != nil {
		return err
	}
	want := machineAMD64
	if arch == "arm64" {
		want = machineARM64
	}
	if machine != want {
		return fmt.Errorf("%w: /%s is for %s, the image for %s", ErrMachine, e.Path, machine, arch)
	}
	if interp != "" {
		return fmt.Errorf("%w: /%s needs %s", ErrDynamic, e.Path, interp)
	}
	return nil
}

// inspect returns the interpreter that a program names, if any, and its
// processor. For anything but 64-bit little-endian files the machine is EM_NONE
// or that of the file, and nothing else is read.
func inspect(e layers.Entry) (interp string, machine elf.Machine, err error) {
	head, err := readRange(e, 0, headerSize)
	if err != nil {
		return "", 0, err
	}
	if len(head) < headerSize {
		return "", 0, damaged(e)
	}
	if elf.Data(head[elf.EI_DATA]) != elf.ELFDATA2LSB {
		return "", elf.EM_NONE, nil
	}
	machine = elf.Machine(binary.LittleEndian.Uint16(head[machineOffset:]))
	if elf.Class(head[classOffset]) != elf.ELFCLASS64 {
		if machine == machineAMD64 || machine == machineARM64 {
			machine = elf.EM_NONE // a 32-bit program for a 64-bit processor (x32)
		}
		return "", machine, nil
	}
	offset := int64(binary.LittleEndian.Uint64(head[32:]))
	size, count := binary.LittleEndian.Uint16(head[54:]), int64(binary.LittleEndian.Uint16(head[56:]))
	if size != segmentSize || count > maxSegments || offset < 0 || offset > e.Size-count*segmentSize {
		return "", 0, damaged(e)
	}
	table, err := readRange(e, offset, count*segmentSize)
	if err != nil {
		return "", 0, err
	}
	for ; len(table) >= segmentSize; table = table[segmentSize:] {
		if elf.ProgType(binary.LittleEndian.Uint32(table)) != elf.PT_INTERP {
			continue
		}
		interp, err = readInterp(e, table)
		return interp, machine, err
	}
	return "", machine, nil
}

// readInterp returns the string that a PT_INTERP segment holds.
func readInterp(e layers.Entry, segment []byte) (string, error) {
	offset := int64(binary.LittleEndian.Uint64(segment[8:]))
	size := int64(binary.LittleEndian.Uint64(segment[32:]))
	if size < 2 || size > maxInterp || offset < 0 || offset > e.Size-size {
		return "", damaged(e)
	}
	name, err := readRange(e, offset, size)
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(name), "\x00"), nil
}

func damaged(e layers.Entry) error {
	return fmt.Errorf("%w: /%s is a damaged ELF file", ErrFormat, e.Path)
}
