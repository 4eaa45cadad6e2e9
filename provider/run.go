package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/faas-lambda/faas-lambda/emulator"
	"github.com/faas-lambda/faas-lambda/provider/config"
	"github.com/faas-lambda/faas-lambda/provider/samples"
)

// runOptions are the flags of run.
type runOptions struct {
	host        string
	port        int
	name        string
	env         []string
	annotations []string
	secretNames []string
	secretDir   string
	memory      int
	timeout     time.Duration
	event       string // file
	sample      string // kind
	times       int
	folder      folderOptions
}

func runCommand() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run IMAGE|ZIP|FOLDER",
		Short: "Run one function in the embedded AWS, for development",
		Long: `Run one function in an embedded AWS Lambda of its own, in the foreground.

IMAGE is what deploy takes, and oci:DIR[:ref], oci-archive:FILE or
docker-archive:FILE. ZIP is the package of a Lambda function. FOLDER is a
function of one of our templates, or holds a stack.yaml; it is built first.

Requests to the port are the function's. What it prints and how long it took,
cold and warm, goes to standard error. With --event or --sample the function
gets that event instead, and the program ends with its answer on standard
output. --sample KIND alone prints the event, to be changed and given back.`,
		Example: `  faas-lambda run registry.example.com/hello:1
  faas-lambda run ./hello --env LEVEL=debug
  faas-lambda run ./hello --sample sqs --times 2
  faas-lambda run --sample s3 > event.json && faas-lambda run function.zip --event event.json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.command(cmd.Context(), args, cmd.OutOrStdout(), os.Stderr)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.host, "host", "127.0.0.1", "address to listen on")
	f.IntVar(&o.port, "port", 8080, "port of the function; 0 takes a free one")
	f.StringVar(&o.name, "name", "", "name of the function (default: made from the image, file or folder)")
	f.StringArrayVarP(&o.env, "env", "e", nil, "environment variable of the function, NAME=VALUE; may be repeated")
	f.StringArrayVar(&o.annotations, "annotation", nil, "annotation of the deployment, NAME=VALUE; may be repeated")
	f.StringArrayVar(&o.secretNames, "secret", nil, "secret that the function may read; may be repeated, and comes to those of its stack file")
	f.StringVar(&o.secretDir, "secret-dir", localSecrets, "folder of the secrets: a file for each, which has its name")
	f.IntVar(&o.memory, "memory", 0, "MB that the function may use (default: the limit in its stack file, else 256)")
	f.DurationVar(&o.timeout, "timeout", 0, "how long an invocation may take (default: what the image says, else one minute)")
	f.StringVar(&o.event, "event", "", "send the event in this file, - for standard input, and end")
	f.StringVar(&o.sample, "sample", "", "send an event of this kind and end: "+strings.Join(samples.Kinds(), ", "))
	f.IntVar(&o.times, "times", 1, "how often --event or --sample is sent: the first time is cold, the others warm")
	o.folder.flags(f)
	return cmd
}

// command checks the flags and does what they say.
func (o runOptions) command(ctx context.Context, args []string, out, log io.Writer) error {
	if o.sample != "" && o.event != "" {
		return errors.New("run: --event and --sample are two events: give one of them")
	}
	if o.times < 1 {
		return fmt.Errorf("run: --times %d: want 1 or more", o.times)
	}
	if len(args) == 0 {
		if o.sample == "" {
			return errors.New("run: want an image, a zip or a folder: faas-lambda run IMAGE|ZIP|FOLDER")
		}
		data, err := samples.Event(o.sample)
		if err != nil {
			return err
		}
		_, err = out.Write(data)
		return err
	}
	data, err := o.payload()
	if err != nil {
		return err
	}
	f, err := o.find(args[0])
	if err != nil {
		return err
	}
	return o.run(ctx, f, data, out, log)
}

// payload is the event to send; nil when there is none.
func (o runOptions) payload() ([]byte, error) {
	switch {
	case o.sample != "":
		return samples.Event(o.sample)
	case o.event == "-":
		return io.ReadAll(os.Stdin)
	case o.event != "":
		data, err := os.ReadFile(o.event)
		if err != nil {
			return nil, fmt.Errorf("read event: %w", err)
		}
		return data, nil
	}
	return nil, nil
}

// run starts the embedded AWS, puts the function there and serves it, or sends
// it the event.
func (o runOptions) run(ctx context.Context, f runnable, event []byte, out, log io.Writer) (err error) {
	data, err := os.MkdirTemp("", "faas-lambda-run-")
	if err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	cfg, err := o.config(data)
	if err != nil {
		return err
	}
	var listener net.Listener
	if event == nil {
		if listener, err = listen(ctx, cfg); err != nil {
			return err
		}
		defer listener.Close()
	}
	view := newRunView(log)
	defer view.summary()
	endpoint, stop, err := startCloud(ctx, emulator.Options{
		DataDir: filepath.Join(data, "aws"), Region: region, Account: account, Logger: quietLogger(), LogOutput: view,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	cfg.Lambda.Endpoint = endpoint
	placed, err := f.place(ctx, cfg, o, data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, placed.close()) }()
	lambda := lambdaClient{endpoint: endpoint, function: placed.name}
	if event != nil {
		return lambda.sendTimes(ctx, event, o.times, out)
	}
	if err := o.welcome(log, listener.Addr(), cfg, placed.name); err != nil {
		return err
	}
	return serveHTTP(ctx, listener, view.watch(placed.handler, lambda), cfg.ReadTimeout, ending{grace: grace})
}

// startCloud runs an embedded AWS and returns its URL and what ends it. It
// outlives ctx, so that what is under way there can end.
func startCloud(ctx context.Context, o emulator.Options) (string, func() error, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listen for the embedded AWS: %w", err)
	}
	o.Address = listener.Addr().String()
	cloud, err := emulator.New(o)
	if err != nil {
		return "", nil, errors.Join(err, listener.Close())
	}
	cloudCtx, end := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- serveHTTP(cloudCtx, listener, cloud, time.Minute, ending{}) }()
	return "http://" + o.Address, func() error {
		end()
		return errors.Join(<-served, cloud.Close())
	}, nil
}

// config is the configuration of a provider for one function, whose port is the
// function's and whose packages are kept for the next time.
func (o runOptions) config(data string) (config.Config, error) {
	up := upOptions{host: o.host, port: o.port, dataDir: data, noAuth: true}
	cfg, err := up.config()
	if err != nil {
		return config.Config{}, err
	}
	cfg.CacheDir = defaultCache()
	cfg.Lambda.Memory = cmp.Or(o.memory, 256)
	if cfg.Lambda.Memory < 128 || cfg.Lambda.Memory > 10240 {
		return config.Config{}, fmt.Errorf("--memory %d: Lambda takes 128 to 10240 MB", o.memory)
	}
	if o.timeout < 0 || o.timeout > 900*time.Second {
		return config.Config{}, fmt.Errorf("--timeout %s: Lambda takes 1 s to 900 s", o.timeout)
	}
	if o.timeout > 0 {
		cfg.Lambda.Timeout = o.timeout
	}
	return cfg, nil
}

// welcome says how to use what runs.
func (o runOptions) welcome(log io.Writer, addr net.Addr, cfg config.Config, name string) error {
	_, err := fmt.Fprintf(log, `%s runs at http://%s

  curl -d world http://%[2]s
  curl -d @event.json http://%[2]s%[3]s    # a trigger's event, as Lambda gets it

The embedded Lambda is at AWS_ENDPOINT_URL=%[4]s. Ctrl-C ends everything.

`, name, addr, invokePath("function"), cfg.Lambda.Endpoint)
	return err
}

// pairs reads NAME=VALUE flags.
func pairs(flag string, list []string) (map[string]string, error) {
	all := map[string]string{}
	for _, one := range list {
		name, value, ok := strings.Cut(one, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--%s %q: want NAME=VALUE", flag, one)
		}
		all[name] = value
	}
	return all, nil
}

// nameFrom makes a name of a function out of the last part of a path or
// reference.
func nameFrom(target string) string {
	base := filepath.Base(strings.TrimSuffix(target, ".zip"))
	if at := strings.IndexAny(base, ":@"); at > 0 {
		base = base[:at]
	}
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, base)
	clean = strings.Trim(clean[:min(len(clean), 60)], "-")
	if clean == "" || slices.Contains([]string{".", ".."}, base) {
		return "function"
	}
	return clean
}

// quietLogger tells a developer only what is wrong.
func quietLogger() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
