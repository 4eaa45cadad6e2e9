package watchdog

import (
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Mode is how a request reaches the function.
type Mode string

// The modes of of-watchdog, and the classic watchdog's only one.
const (
	ModeStreaming   Mode = "streaming"   // a process per request, stdin and stdout streamed
	ModeSerializing Mode = "serializing" // a process per request, both buffered
	ModeHTTP        Mode = "http"        // one process that serves HTTP
	ModeStatic      Mode = "static"      // files of a directory
	ModeInproc      Mode = "inproc"      // the image's command serves by itself
	ModeClassic     Mode = "classic"     // a process per request, classic watchdog's answers
)

// Config is what a watchdog reads from its environment. Durations of zero or
// less are no limit, except WriteTimeout, which is always above zero.
type Config struct {
	Mode     Mode
	Command  []string // the function's command: program and arguments
	Upstream *url.URL // where the function listens (http, inproc)
	Port     int      // where the watchdog itself is to listen

	ReadTimeout         time.Duration
	WriteTimeout        time.Duration
	ExecTimeout         time.Duration // of one request
	HealthcheckInterval time.Duration

	ContentType  string // of the answers of fork modes; classic: "" echoes the request's
	StaticPath   string
	BufferBody   bool // http: hold the request's body to give it a Content-Length
	MaxInflight  int  // 0: no limit
	ReadyPath    string
	PrefixLogs   bool
	LogCallID    bool
	JSONLogs     bool // AWS_LAMBDA_LOG_FORMAT=JSON
	SuppressLock bool
	JWT          *JWTConfig // nil: no authentication

	CGIHeaders     bool // Http_ variables in the environment of forked processes
	CombineOutput  bool // classic: stderr joins the response
	MarshalRequest bool // classic: stdin is JSON of header and body
	WriteDebug     bool // classic: log the response's body
	DebugHeaders   bool // classic: log headers

	Env []string // the environment of the function, NAME=value

	Warnings []string // values that were passed over, each with its variable's name, for a log
}

// JWTConfig is what jwt_auth and its companions ask for.
type JWTConfig struct {
	Debug     bool
	Local     bool   // the issuer is a gateway on 127.0.0.1:8000
	Name      string // OPENFAAS_NAME
	Namespace string // OPENFAAS_NAMESPACE; "": that of the service account
}

// ParseConfig reads the variables of the kind of watchdog from env (NAME=value;
// the last of a name counts). command is the image's own command, used by None
// only. An error names the variable. Durations, numbers and booleans that are
// none do not fail: they mean what they mean to the watchdogs themselves, and
// the numbers and booleans among them are in Warnings.
func ParseConfig(kind Kind, env, command []string) (Config, error) {
	v := newVariables(kind, env)
	c := Config{
		Port:         v.port(),
		ReadTimeout:  v.duration("read_timeout", 30*time.Second),
		WriteTimeout: v.duration("write_timeout", 30*time.Second),
		MaxInflight:  v.number("max_inflight", 0, math.MaxInt32),
		ContentType:  v.get("content_type"),
		SuppressLock: v.flag("suppress_lock"),
		PrefixLogs:   true,
		JSONLogs:     v.get("AWS_LAMBDA_LOG_FORMAT") == "JSON",
		JWT:          v.jwt(),
		CGIHeaders:   true,
		Env:          env,
	}
	c.HealthcheckInterval = v.duration("healthcheck_interval", c.WriteTimeout)
	switch kind {
	case OfWatchdog:
		v.of(&c)
	case Classic:
		v.classic(&c)
	case None:
		c.Mode, c.Command, c.JWT, c.MaxInflight = ModeInproc, command, nil, 0
		c.Upstream = &url.URL{Scheme: "http", Host: "127.0.0.1:" + strconv.Itoa(c.Port)}
		if len(command) == 0 {
			v.fail("command", "is empty")
		}
	default:
		return Config{}, fmt.Errorf("unknown watchdog %q", kind)
	}
	if c.WriteTimeout <= 0 && kind != None {
		v.fail("write_timeout", "must be above 0")
	}
	c.Warnings = v.warnings
	return c, v.err
}

func (v *variables) of(c *Config) {
	c.Mode = ModeStreaming
	if mode := v.get("mode"); mode != "" {
		c.Mode = Mode(mode)
	}
	c.ExecTimeout = v.duration("exec_timeout", 30*time.Second)
	if !v.has("content_type") {
		c.ContentType = "application/octet-stream"
	}
	c.StaticPath = "/home/app/public"
	if v.has("static_path") {
		c.StaticPath = v.get("static_path")
	}
	c.BufferBody = v.flag("buffer_http") || v.flag("http_buffer_req_body")
	c.ReadyPath = v.get("ready_path")
	c.PrefixLogs = v.anyBoolean("prefix_logs", true)
	c.LogCallID = v.anyBoolean("log_callid", false) || v.anyBoolean("log_call_id", false)
	// Lines of any length are kept whole, but of-watchdog does not start with a
	// value that is no number.
	if s := v.get("log_buffer_size"); v.has("log_buffer_size") {
		if _, err := strconv.Atoi(s); err != nil {
			v.fail("log_buffer_size", fmt.Sprintf("%q is not a number", s))
		}
	}

	process := "fprocess"
	if v.has("function_process") {
		process = "function_process"
	}
	c.Command = splitCommand(v.get(process))
	switch c.Mode {
	case ModeHTTP:
		c.Upstream = v.upstream()
		fallthrough
	case ModeStreaming, ModeSerializing:
		if v.get(process) == "" {
			v.fail(process, "is empty: provide the function's command as fprocess or function_process")
		}
	case ModeStatic:
	case ModeInproc:
		v.fail("mode", "inproc is served by the image's own command, not by a watchdog")
	default:
		v.fail("mode", fmt.Sprintf("%q is none of http, streaming, serializing, static, inproc", c.Mode))
	}
}

func (v *variables) classic(c *Config) {
	c.Mode = ModeClassic
	c.ExecTimeout = v.duration("exec_timeout", 0)
	c.CGIHeaders = v.boolean("cgi_headers", true)
	c.CombineOutput = v.boolean("combine_output", true)
	c.MarshalRequest = v.flag("marshal_request")
	c.WriteDebug = v.flag("write_debug")
	c.DebugHeaders = v.flag("debug_headers")
	c.Command = splitCommand(v.get("fprocess"))
	if v.get("fprocess") == "" {
		v.fail("fprocess", "is empty: provide the function's command")
	}
}

// splitCommand splits on single spaces: no quotes, no variables, and two spaces
// make an empty argument, as in the watchdogs.
func splitCommand(process string) []string { return strings.Split(process, " ") }
