package lambda

import (
	"strings"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// journal is where the lines of a sandbox go: to the output of the program, and to a stream of CloudWatch Logs.
type journal struct {
	name          string // of the function
	group, stream string
	output        *output
	sink          Logs
}

// newJournal begins a stream for a sandbox of a version.
func (s *Service) newJournal(at post, version *live) *journal {
	return &journal{at.name, version.Config.LoggingConfig.LogGroup, logStream(at.version), s.output, s.services.Logs}
}

// logStream names one as Lambda does: date, version, and a number of the sandbox.
func logStream(version string) string {
	return time.Now().UTC().Format("2006/01/02") + "/[" + version + "]" + strings.ReplaceAll(wire.NewID(), "-", "")
}

func (j *journal) line(line []byte) {
	j.output.line(j.name, line)
	j.sink.Put(j.group, j.stream, time.Now(), line)
}
