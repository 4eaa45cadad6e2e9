package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws"
	"github.com/faas-lambda/faas-lambda/provider/config"
)

// rollbacker is the ability to let an earlier deployment serve again.
type rollbacker interface {
	Deployments(ctx context.Context, name backend.Name) ([]aws.Deployment, error)
	Rollback(ctx context.Context, name backend.Name, id string) error
}

func rollbackCommand() *cobra.Command {
	var list bool
	var file string
	cmd := &cobra.Command{
		Use:   "rollback NAME [DEPLOYMENT]",
		Short: "Let an earlier deployment of a function serve again",
		Long: `Let an earlier deployment of a function serve again: the one named, or the one
before that which serves. Nothing is packaged: the version is still there, and
takes over in one step. It works on AWS, with the settings of serve.`,
		Example: "  faas-lambda rollback --list hello\n  faas-lambda rollback hello\n  faas-lambda rollback hello.team-a 0a1b2c3d4e5f6071",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := config.Read(os.Getenv)
			if err == nil {
				cfg, err = cfg.ReadFile(file, "")
			}
			if err != nil {
				return err
			}
			b, name, closeAll, err := openRollbacker(cmd.Context(), cfg, args[0])
			if err != nil {
				return err
			}
			if list {
				err = listDeployments(cmd.Context(), b, name, cmd.OutOrStdout())
			} else {
				err = rollBack(cmd.Context(), b, name, strings.Join(args[1:], ""), cmd.OutOrStdout())
			}
			return errors.Join(err, closeAll())
		},
	}
	cmd.Flags().BoolVar(&list, "list", false, "list the deployments that are kept, and change nothing")
	cmd.Flags().StringVar(&file, "config", "", "YAML file with the settings of the backend, as of serve")
	return cmd
}

// openRollbacker opens the backend and splits a function's name at the last dot,
// when what follows is a namespace.
func openRollbacker(ctx context.Context, cfg config.Config, function string) (rollbacker, backend.Name, func() error, error) {
	if cfg.File.Kind == "aws" && cfg.Lambda.Role == "" {
		cfg.Lambda.Role = "unused" // no function is made or changed in its role
	}
	opened, closeAll, err := openBackend(ctx, cfg, nil, newLogger(os.Stderr, cfg))
	if err != nil {
		return nil, backend.Name{}, nil, err
	}
	b, ok := opened.(rollbacker)
	if !ok {
		return nil, backend.Name{}, nil, errors.Join(fmt.Errorf("roll back function %s: the backend %s keeps no earlier deployments: name the one for AWS by --config", function, cfg.File.Kind), closeAll())
	}
	name := backend.Name{Namespace: cfg.Namespace, Function: function}
	if i := strings.LastIndexByte(function, '.'); i > 0 {
		name = backend.Name{Namespace: function[i+1:], Function: function[:i]}
	}
	return b, name, closeAll, nil
}

func listDeployments(ctx context.Context, b rollbacker, name backend.Name, out io.Writer) error {
	all, err := b.Deployments(ctx, name)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "DEPLOYMENT\tDEPLOYED\tSERVES\tIMAGE")
	for _, d := range all {
		serves := ""
		if d.Serving {
			serves = "yes"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", d.ID, d.At.Format(time.RFC3339), serves, d.Image)
	}
	return table.Flush()
}

func rollBack(ctx context.Context, b rollbacker, name backend.Name, id string, out io.Writer) error {
	if err := b.Rollback(ctx, name, id); err != nil {
		return err
	}
	all, err := b.Deployments(ctx, name)
	if err != nil {
		return err
	}
	for _, d := range all {
		if d.Serving {
			fmt.Fprintf(out, "deployment %s of function %s serves: %s\n", d.ID, name, d.Image)
		}
	}
	return nil
}
