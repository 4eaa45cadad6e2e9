package watchdog

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseConfig(t *testing.T) {
	for name, c := range map[string]struct {
		kind Kind
		env  []string
		get  func(Config) any
		want any
	}{
		"defaults": {OfWatchdog, []string{"fprocess=a"}, func(c Config) any {
			return []any{c.Mode, c.Port, c.ReadTimeout, c.WriteTimeout, c.ExecTimeout, c.HealthcheckInterval, c.ContentType, c.PrefixLogs, c.CGIHeaders}
		}, []any{ModeStreaming, 8080, 30 * time.Second, 30 * time.Second, 30 * time.Second, 30 * time.Second, "application/octet-stream", true, true}},
		"defaults of classic": {Classic, []string{"fprocess=a"}, func(c Config) any {
			return []any{c.Mode, c.ExecTimeout, c.ContentType, c.CombineOutput, c.CGIHeaders}
		}, []any{ModeClassic, time.Duration(0), "", true, true}},
		"inproc": {None, []string{"port=9000", "mode=inproc", "max_inflight=4"}, func(c Config) any {
			return []any{c.Mode, c.Command, c.Upstream.String(), c.MaxInflight}
		}, []any{ModeInproc, []string{"./handler"}, "http://127.0.0.1:9000", 0}},
		"seconds":                    {OfWatchdog, []string{"fprocess=a", "exec_timeout=5"}, func(c Config) any { return c.ExecTimeout }, 5 * time.Second},
		"duration":                   {OfWatchdog, []string{"fprocess=a", "exec_timeout=1m30s"}, func(c Config) any { return c.ExecTimeout }, 90 * time.Second},
		"no duration: default":       {OfWatchdog, []string{"fprocess=a", "exec_timeout=long"}, func(c Config) any { return c.ExecTimeout }, 30 * time.Second},
		"interval follows write":     {Classic, []string{"fprocess=a", "write_timeout=7"}, func(c Config) any { return c.HealthcheckInterval }, 7 * time.Second},
		"more seconds than fit":      {OfWatchdog, []string{"fprocess=a", "exec_timeout=99999999999999"}, func(c Config) any { return c.ExecTimeout > time.Hour }, true},
		"last of a name":             {OfWatchdog, []string{"fprocess=a", "fprocess=b c"}, func(c Config) any { return c.Command }, []string{"b", "c"}},
		"single spaces":              {OfWatchdog, []string{"fprocess=a  'b c'"}, func(c Config) any { return c.Command }, []string{"a", "", "'b", "c'"}},
		"function_process wins":      {OfWatchdog, []string{"fprocess=a", "function_process=b"}, func(c Config) any { return c.Command }, []string{"b"}},
		"not for classic":            {Classic, []string{"fprocess=a", "function_process=b"}, func(c Config) any { return c.Command }, []string{"a"}},
		"http_upstream_url wins":     {OfWatchdog, []string{"mode=http", "fprocess=a", "upstream_url=http://a", "http_upstream_url=http://b"}, func(c Config) any { return c.Upstream.Host }, "b"},
		"static needs no command":    {OfWatchdog, []string{"mode=static"}, func(c Config) any { return c.StaticPath }, "/home/app/public"},
		"empty content type stays":   {OfWatchdog, []string{"fprocess=a", "content_type="}, func(c Config) any { return c.ContentType }, ""},
		"both names of buffering":    {OfWatchdog, []string{"fprocess=a", "http_buffer_req_body=1"}, func(c Config) any { return c.BufferBody }, true},
		"both names of log_callid":   {OfWatchdog, []string{"fprocess=a", "log_call_id=true"}, func(c Config) any { return c.LogCallID }, true},
		"unlimited log buffer":       {OfWatchdog, []string{"fprocess=a", "log_buffer_size=-1"}, func(c Config) any { return c.PrefixLogs }, true},
		"JWT":                        {OfWatchdog, []string{"fprocess=a", "jwt_auth=true", "OPENFAAS_NAME=f", "jwt_auth_local=1"}, func(c Config) any { return *c.JWT }, JWTConfig{Local: true, Name: "f"}},
		"Lambda's JSON logs":         {OfWatchdog, []string{"fprocess=a", "AWS_LAMBDA_LOG_FORMAT=JSON"}, func(c Config) any { return c.JSONLogs }, true},
		"empty value is the default": {OfWatchdog, []string{"fprocess=a", "port=", "prefix_logs="}, func(c Config) any { return c.Port }, 8080},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := ParseConfig(c.kind, c.env, []string{"./handler"})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, c.get(cfg)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestParseConfigNamesTheVariable(t *testing.T) {
	for name, c := range map[string]struct {
		kind Kind
		env  []string
		want []string
	}{
		"several":          {OfWatchdog, []string{"write_timeout=0", "log_buffer_size=x"}, []string{"write_timeout", "log_buffer_size", "fprocess"}},
		"no upstream":      {OfWatchdog, []string{"fprocess=a", "mode=http"}, []string{"upstream_url"}},
		"upstream no URL":  {OfWatchdog, []string{"fprocess=a", "mode=http", "http_upstream_url=127.0.0.1:80"}, []string{"http_upstream_url"}},
		"upstream scheme":  {OfWatchdog, []string{"fprocess=a", "mode=http", "upstream_url=ftp://h"}, []string{"upstream_url"}},
		"mode":             {OfWatchdog, []string{"fprocess=a", "mode=x"}, []string{"mode", "x"}},
		"inproc":           {OfWatchdog, []string{"mode=inproc"}, []string{"mode"}},
		"write_timeout":    {OfWatchdog, []string{"fprocess=a", "write_timeout=0"}, []string{"write_timeout"}},
		"log buffer":       {OfWatchdog, []string{"fprocess=a", "log_buffer_size=x"}, []string{"log_buffer_size"}},
		"classic process":  {Classic, []string{"function_process=a"}, []string{"fprocess"}},
		"JWT without name": {OfWatchdog, []string{"fprocess=a", "jwt_auth=true"}, []string{"OPENFAAS_NAME"}},
		"kind":             {"x", nil, []string{`"x"`}},
		"no command":       {None, nil, []string{"command"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseConfig(c.kind, c.env, nil)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not name %s", err, want)
				}
			}
		})
	}
}

// What the watchdogs pass over does not keep a function from starting, and is
// named.
func TestParseConfigWarns(t *testing.T) {
	for name, c := range map[string]struct {
		kind Kind
		env  string
		get  func(Config) any
		want any
		warn int
	}{
		"port":                          {OfWatchdog, "port=x", func(c Config) any { return c.Port }, 8080, 1},
		"port out of range":             {OfWatchdog, "port=70000", func(c Config) any { return c.Port }, 8080, 1},
		"port that is none":             {Classic, "port=0", func(c Config) any { return c.Port }, 8080, 1},
		"number below zero":             {OfWatchdog, "max_inflight=-1", func(c Config) any { return c.MaxInflight }, 0, 1},
		"of-watchdog's boolean":         {OfWatchdog, "suppress_lock=maybe", func(c Config) any { return c.SuppressLock }, false, 1},
		"of-watchdog knows 1":           {OfWatchdog, "suppress_lock=1", func(c Config) any { return c.SuppressLock }, true, 0},
		"of-watchdog knows no T":        {OfWatchdog, "buffer_http=T", func(c Config) any { return c.BufferBody }, false, 1},
		"its logs know T":               {OfWatchdog, "log_callid=T", func(c Config) any { return c.LogCallID }, true, 0},
		"its logs keep their default":   {OfWatchdog, "prefix_logs=maybe", func(c Config) any { return c.PrefixLogs }, true, 1},
		"classic knows no 1":            {Classic, "write_debug=1", func(c Config) any { return c.WriteDebug }, false, 0},
		"classic: anything else is no":  {Classic, "cgi_headers=maybe", func(c Config) any { return c.CGIHeaders }, false, 1},
		"classic: empty is the default": {Classic, "combine_output=", func(c Config) any { return c.CombineOutput }, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := ParseConfig(c.kind, []string{"fprocess=a", c.env}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, c.get(cfg)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			variable, _, _ := strings.Cut(c.env, "=")
			if len(cfg.Warnings) != c.warn || c.warn > 0 && !strings.HasPrefix(cfg.Warnings[0], variable+": ") {
				t.Errorf("warnings %q", cfg.Warnings)
			}
		})
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add("fprocess=a  b\nmode=http\nupstream_url=http://h/p?q#f\nexec_timeout=-1s\nport=1")
	f.Add("=\x00\nmode")
	f.Fuzz(func(t *testing.T, env string) {
		for _, kind := range []Kind{OfWatchdog, Classic, None} {
			cfg, err := ParseConfig(kind, strings.Split(env, "\n"), []string{"x"})
			if err == nil && cfg.Mode != ModeStatic && strings.Join(cfg.Command, " ") == "" {
				t.Errorf("no command in %+v", cfg)
			}
			if err == nil && (cfg.Port < 1 || cfg.WriteTimeout <= 0 && kind != None) {
				t.Errorf("accepted %+v", cfg)
			}
		}
	})
}
