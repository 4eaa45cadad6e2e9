package remote

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/openfaas/faas-provider/logs"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// maxLine bounds one message. A line of Lambda's log is 256 KB at most
// (docs.aws.amazon.com/AmazonCloudWatch, "CloudWatch Logs quotas"), and JSON may
// take six bytes for one.
const maxLine = 2 << 20

// Query implements backend.Logger: the lines of NDJSON as they come. A line that
// is no message ends them.
func (b *Backend) Query(ctx context.Context, r logs.Request) (<-chan logs.Message, error) {
	query := url.Values{"name": {r.Name}, "namespace": {r.Namespace}, "follow": {strconv.FormatBool(r.Follow)}}
	if r.Instance != "" {
		query.Set("instance", r.Instance)
	}
	if r.Tail > 0 {
		query.Set("tail", strconv.Itoa(r.Tail))
	}
	if r.Since != nil {
		query.Set("since", r.Since.UTC().Format(time.RFC3339Nano))
	}
	// It ends with the query or with Close, whichever is first, and the answer
	// has to begin in time.
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(b.closing, func() { cancel(nil) })
	late := time.AfterFunc(b.opts.Timeout, func() {
		cancel(backend.Errorf(backend.ErrTimeout, "read logs at %s: no answer in %s", b.base.Host, b.opts.Timeout))
	})
	answer, err := b.request(ctx, call{method: http.MethodGet, path: "/system/logs", query: query, doing: "read logs of function " + r.Name})
	late.Stop()
	if err != nil {
		stop()
		cancel(nil)
		return nil, err
	}
	out := make(chan logs.Message, 64)
	b.background.Go(func() {
		defer close(out)
		defer cancel(nil)
		defer stop()
		defer answer.Body.Close()
		if err := copyLogs(ctx, answer.Body, out); err != nil && ctx.Err() == nil {
			b.log.Warn("logs broke off", "provider", b.base.Host, "function", r.Name, "error", err)
		}
	})
	return out, nil
}

// copyLogs sends the messages of NDJSON until they or ctx end.
func copyLogs(ctx context.Context, from io.Reader, to chan<- logs.Message) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 0, 16<<10), maxLine)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var m logs.Message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return err
		}
		select {
		case to <- m:
		case <-ctx.Done():
			return nil
		}
	}
	return lines.Err()
}
