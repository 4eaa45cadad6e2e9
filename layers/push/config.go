package push

import (
	"encoding/json"
	"fmt"
	"time"
)

// extend returns an image's configuration with one more layer and another start.
// What it holds besides stays as it is.
func extend(config []byte, top Top) ([]byte, error) {
	var whole, start, rootFS map[string]json.RawMessage
	var diffIDs []string
	var history []json.RawMessage
	if err := json.Unmarshal(config, &whole); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	for _, m := range []struct {
		of   *map[string]json.RawMessage
		name string
		into any
	}{{&whole, "config", &start}, {&whole, "rootfs", &rootFS}, {&rootFS, "diff_ids", &diffIDs}, {&whole, "history", &history}} {
		if err := member(*m.of, m.name, m.into); err != nil {
			return nil, err
		}
	}
	if start == nil {
		start = map[string]json.RawMessage{}
	}
	if rootFS == nil {
		return nil, fmt.Errorf("%w: it has no rootfs", ErrConfig)
	}
	delete(start, "Cmd")
	delete(start, "ArgsEscaped") // of Windows' command lines
	set(start, "Entrypoint", top.Entrypoint)
	set(start, "Env", top.Env)
	set(start, "WorkingDir", top.Dir)
	set(rootFS, "diff_ids", append(diffIDs, top.DiffID))
	if history != nil {
		set(whole, "history", append(history, raw(map[string]any{"created": time.Unix(0, 0).UTC(), "created_by": "faas-lambda: bootstrap"})))
	}
	set(whole, "config", start)
	set(whole, "rootfs", rootFS)
	return raw(whole), nil
}

// member reads a member of an object; one that is missing or null leaves into as
// it is.
func member(object map[string]json.RawMessage, name string, into any) error {
	data, ok := object[name]
	if !ok {
		return nil
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrConfig, name, err)
	}
	return nil
}

func set(object map[string]json.RawMessage, name string, value any) { object[name] = raw(value) }

// raw encodes what always can be.
func raw(value any) json.RawMessage {
	data, _ := json.Marshal(value)
	return data
}
