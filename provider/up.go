package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/faas-lambda/faas-lambda/emulator"
	"github.com/faas-lambda/faas-lambda/provider/config"
)

// What the embedded AWS answers for. Its account has no other use, and its
// credentials open nothing.
const (
	account     = "000000000000"
	region      = "us-east-1"
	credentials = "faas-lambda"
)

// grace is how long Ctrl-C waits for invocations under way.
const grace = 2 * time.Second

// upOptions are the flags of up.
type upOptions struct {
	host    string
	port    int
	dataDir string
	noAuth  bool
	watch   string // folder or stack file whose functions are built and deployed at each save
	folder  folderOptions
}

func upCommand() *cobra.Command {
	var o upOptions
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run the provider and an embedded AWS on this machine",
		Long: `Run the provider and an embedded AWS Lambda in one process, in the foreground.

It is serve with its endpoint set to the embedded AWS. Images may also be local:
oci:DIR[:ref], oci-archive:FILE and docker-archive:FILE. Functions are kept in
the data directory and are there again after a restart. Ctrl-C ends it all.`,
		Args: cobra.MaximumNArgs(1), // --watch FOLDER
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.watched(args); err != nil {
				return err
			}
			return up(cmd.Context(), o, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&o.host, "host", "127.0.0.1", "address to listen on")
	cmd.Flags().IntVar(&o.port, "port", 8080, "port of the provider; 0 takes a free one")
	cmd.Flags().StringVar(&o.dataDir, "data-dir", "", "where functions are kept (default $XDG_DATA_HOME/faas-lambda or ~/.local/share/faas-lambda)")
	cmd.Flags().BoolVar(&o.noAuth, "no-auth", false, "serve without basic auth")
	cmd.Flags().StringVar(&o.watch, "watch", "", "build the functions of a folder or stack file, and deploy them, now and at each save (default: the current folder)")
	cmd.Flags().Lookup("watch").NoOptDefVal = "."
	o.folder.flags(cmd.Flags())
	return cmd
}

// watched takes the folder that stands behind --watch: the flag alone means the
// current one, so that a word after it is an argument to cobra.
func (o *upOptions) watched(args []string) error {
	if len(args) == 0 {
		return nil
	}
	if o.watch == "" {
		return fmt.Errorf("up takes no arguments, got %q: --watch names the folder to watch", args[0])
	}
	o.watch = args[0]
	return nil
}

// up runs the embedded AWS and, pointed at it, the provider.
func up(ctx context.Context, o upOptions, out io.Writer) (err error) {
	cfg, err := o.config()
	if err != nil {
		return err
	}
	log := newLogger(os.Stderr, cfg)
	listener, err := listen(ctx, cfg)
	if err != nil {
		return err
	}
	defer listener.Close()
	if cfg.BasicAuth {
		if err := ensurePassword(cfg.SecretMountPath); err != nil {
			return err
		}
	}
	endpoint, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for the embedded AWS: %w", err)
	}
	cloud, err := emulator.New(emulator.Options{
		DataDir: filepath.Join(o.dataDir, "aws"), Address: endpoint.Addr().String(), Region: region, Account: account, Logger: log, LogOutput: out,
	})
	if err != nil {
		return errors.Join(err, endpoint.Close())
	}
	defer func() { err = errors.Join(err, cloud.Close()) }()
	cfg.Lambda.Endpoint = "http://" + endpoint.Addr().String()

	// The embedded AWS outlives the provider, so that what is under way there
	// can end.
	cloudCtx, stopCloud := context.WithCancel(context.WithoutCancel(ctx))
	clouded := make(chan error, 1)
	go func() { clouded <- serveHTTP(cloudCtx, endpoint, cloud, cfg.ReadTimeout, ending{}) }()
	defer func() {
		stopCloud()
		err = errors.Join(err, <-clouded)
	}()
	if err := welcome(out, cfg, listener.Addr()); err != nil {
		return err
	}
	if o.watch == "" {
		return serve(ctx, cfg, listener, log)
	}
	w, err := newWatcher(ctx, o.watch, o.folder, cfg, listener.Addr(), o.dataDir, out)
	if err != nil {
		return err
	}
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() error { return serve(ctx, cfg, listener, log) })
	both.Go(func() error { return w.run(ctx) })
	return both.Wait()
}

// config is the configuration of a provider that is pointed at the embedded
// AWS. What the environment says otherwise stays as it is.
func (o *upOptions) config() (config.Config, error) {
	cfg, err := config.Read(os.Getenv)
	if err != nil {
		return config.Config{}, err
	}
	if o.port < 0 || o.port > 65535 {
		return config.Config{}, fmt.Errorf("--port %d: want 0 to 65535", o.port)
	}
	if o.dataDir, err = dataDir(o.dataDir); err != nil {
		return config.Config{}, err
	}
	cfg.Host, cfg.Port, cfg.LocalImages, cfg.ShutdownDelay, cfg.ShutdownTimeout = o.host, o.port, true, 0, grace
	cfg.CacheDir = filepath.Join(o.dataDir, "cache")
	cfg.Lambda.Region, cfg.Lambda.AccessKey, cfg.Lambda.SecretKey = region, credentials, credentials
	cfg.Lambda.Arch = runtime.GOARCH // what the sandboxes can run
	if cfg.Lambda.Role == "" {
		cfg.Lambda.Role = "arn:aws:iam::" + account + ":role/faas-lambda"
	}
	if os.Getenv("metrics_refresh") == "" {
		cfg.Lambda.MetricsRefresh = time.Second // they cost nothing here
	}
	// Whoever can reach the provider can run programs here.
	cfg.BasicAuth = !o.noAuth && os.Getenv("basic_auth") != "false"
	if os.Getenv("secret_mount_path") == "" {
		cfg.SecretMountPath = filepath.Join(o.dataDir, "secrets")
	}
	return cfg, nil
}

// dataDir returns the data directory as an absolute path and makes it.
func dataDir(dir string) (string, error) {
	if dir == "" {
		base := os.Getenv("XDG_DATA_HOME")
		if base == "" {
			home, err := os.UserHomeDir()
			if err != nil {
				return "", fmt.Errorf("find data directory: %w: name one with --data-dir", err)
			}
			base = filepath.Join(home, ".local", "share")
		}
		dir = filepath.Join(base, "faas-lambda")
	}
	dir, err := filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		return "", fmt.Errorf("make data directory: %w", err)
	}
	return dir, nil
}

// ensurePassword makes user and password when there are none yet.
func ensurePassword(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make directory of secrets: %w", err)
	}
	for name, value := range map[string]string{"basic-auth-user": "admin", "basic-auth-password": strings.ToLower(rand.Text())} {
		file, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err == nil {
			_, err = file.WriteString(value)
			err = errors.Join(err, file.Close())
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

// welcome says how to use what runs.
func welcome(out io.Writer, cfg config.Config, addr net.Addr) error {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return fmt.Errorf("read own address: %w", err)
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	login := "(no login: basic auth is off)"
	if cfg.BasicAuth {
		login = fmt.Sprintf("cat %s | faas-cli login --username admin --password-stdin", strconv.Quote(filepath.Join(cfg.SecretMountPath, "basic-auth-password")))
	}
	_, err = fmt.Fprintf(out, `faas-lambda %s: OpenFaaS provider and embedded AWS Lambda, on this machine

  export OPENFAAS_URL=http://%s
  %s
  faas-cli deploy --name hello --image REGISTRY/IMAGE:TAG    # or oci:DIR, oci-archive:FILE, docker-archive:FILE
  echo world | faas-cli invoke hello
  curl -d world $OPENFAAS_URL/function/hello

Any AWS client reaches the embedded Lambda:

  export AWS_ENDPOINT_URL=%s AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s
  export AWS_REGION=%s AWS_DEFAULT_REGION=%s    # version 1 of the AWS CLI reads the second alone
  aws lambda list-functions

Functions are kept in %s. Ctrl-C ends everything.

`, version, net.JoinHostPort(host, port), login, cfg.Lambda.Endpoint, credentials, credentials, region, region, filepath.Dir(cfg.CacheDir))
	return err
}
