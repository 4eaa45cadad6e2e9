package main

import (
	"fmt"
	"os"
	"sync"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/faas-lambda/faas-lambda/provider/packaging"
)

// display shows on a terminal how far a package has come: a bar for each layer
// and one for the zip. Elsewhere it shows nothing.
type display struct {
	bars *mpb.Progress

	mu    sync.Mutex // guards parts
	parts map[string]*mpb.Bar
}

func newDisplay(terminal *os.File) *display {
	d := &display{parts: map[string]*mpb.Bar{}}
	if term.IsTerminal(int(terminal.Fd())) {
		d.bars = mpb.New(mpb.WithOutput(terminal), mpb.WithWidth(40))
	}
	return d
}

// step takes one report of progress.
func (d *display) step(s packaging.Step) {
	if d.bars == nil || s.Total <= 0 {
		return
	}
	name := "write package"
	if s.Parts > 0 {
		name = fmt.Sprintf("layer %d of %d", s.Part+1, s.Parts)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	bar := d.parts[name]
	if bar == nil {
		bar = d.bars.AddBar(s.Total,
			mpb.PrependDecorators(decor.Name(name, decor.WCSyncSpaceR)),
			mpb.AppendDecorators(decor.CountersKiloByte("% .1f / % .1f")))
		d.parts[name] = bar
	}
	bar.SetCurrent(s.Done)
}

// end leaves the bars as they are and gives the terminal back.
func (d *display) end() {
	if d.bars == nil {
		return
	}
	d.mu.Lock()
	for _, bar := range d.parts {
		bar.Abort(false)
	}
	d.mu.Unlock()
	d.bars.Wait()
}
