package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/tabwriter"
)

// blackBox is one case of how a watchdog behaves, seen from outside.
type blackBox struct {
	name    string
	classic bool
	env     []string
	observe func(*process) string
	want    string
	// defect says that the real watchdog is known to do otherwise, and how.
	defect string
}

// TestPeers runs the cases against our fwatchdog, and when PEERS names a directory
// with of-watchdog and classic-watchdog also against those: what both show is
// printed side by side, and must be the same but for the known defects.
func TestPeers(t *testing.T) {
	ours := peer{of: []string{programs.ours}, classic: []string{programs.ours, "-kind", "classic-watchdog"}}
	var theirs *peer
	if dir := os.Getenv("PEERS"); dir != "" {
		theirs = &peer{of: []string{filepath.Join(dir, "of-watchdog")}, classic: []string{filepath.Join(dir, "classic-watchdog")}, theirs: true}
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, c := range append(cases(t), defects(t)...) {
		t.Run(c.name, func(t *testing.T) {
			got := c.observe(ours.start(t, c.classic, c.env...))
			if got != c.want {
				t.Errorf("ours:\n%s\nwant:\n%s", got, c.want)
			}
			if theirs == nil {
				return
			}
			real := notRun
			t.Run("theirs", func(t *testing.T) { real = c.observe(theirs.start(t, c.classic, c.env...)) })
			verdict := "same"
			switch {
			case real == notRun:
				verdict = notRun
			case real != got && c.defect != "":
				verdict = "differs, as known: " + c.defect
			case real != got:
				verdict = "DIFFERS"
				t.Errorf("ours:\n%s\ntheirs:\n%s", got, real)
			case c.defect != "":
				verdict = "same this time: " + c.defect
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", c.name, short(got), short(real), verdict)
		})
	}
	if theirs != nil {
		fmt.Println()
		if err := table.Flush(); err != nil {
			t.Error(err)
		}
	}
}

const notRun = "did not run to its end"

func short(s string) string {
	s = strings.ReplaceAll(s, "\n", `⏎`)
	if r := []rune(s); len(r) > 90 {
		return string(r[:90]) + "…"
	}
	return s
}
