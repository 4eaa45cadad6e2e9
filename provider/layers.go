package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws"
	"github.com/faas-lambda/faas-lambda/provider/config"
)

// layersOptions are the flags of layers gc.
type layersOptions struct {
	remove    bool
	json      bool
	namespace string
	minAge    time.Duration
}

func layersCommand() *cobra.Command {
	layers := &cobra.Command{Use: "layers", Short: "Look after the Lambda layers that functions share"}
	var o layersOptions
	gc := &cobra.Command{
		Use:   "gc",
		Short: "List the Lambda layers that no function uses, or remove them",
		Long: `List the versions of Lambda layers that deployments of the package type "layers"
made and that no version of any function uses any more. Nothing is removed
without --delete. Layers of other names are never touched, and what was made
within --min-age stays, because a deployment may be about to use it.

Credentials, region and endpoint come from where AWS's SDK looks for them.`,
		Example: "  faas-lambda layers gc\n  faas-lambda layers gc --delete",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Read(os.Getenv)
			if err != nil {
				return err
			}
			return collect(cmd.Context(), cfg, o, cmd.OutOrStdout())
		},
	}
	gc.Flags().BoolVar(&o.remove, "delete", false, "remove them")
	gc.Flags().BoolVar(&o.json, "json", false, "print them as JSON")
	gc.Flags().StringVar(&o.namespace, "namespace", "", "OpenFaaS namespace whose account and region are meant (default: the default one)")
	gc.Flags().DurationVar(&o.minAge, "min-age", aws.FreshLayer, "how old a layer must be")
	layers.AddCommand(gc)
	return layers
}

// collect lists or removes layers.
func collect(ctx context.Context, cfg config.Config, o layersOptions, out io.Writer) error {
	if o.namespace == "" {
		o.namespace = cfg.Namespace
	}
	lambda := cfg.Lambda
	functions, err := aws.Open(ctx, aws.Options{
		Namespace: cfg.Namespace, Role: lambda.Role, Arch: lambda.Arch, Memory: lambda.Memory, Timeout: lambda.Timeout,
		DeployTimeout: lambda.DeployTimeout, Endpoint: lambda.Endpoint, Region: lambda.Region, AccessKey: lambda.AccessKey, SecretKey: lambda.SecretKey,
	})
	if err != nil {
		return err
	}
	unused, err := functions.CollectLayers(ctx, o.namespace, o.minAge, o.remove)
	if o.json {
		if unused == nil {
			unused = []aws.LayerVersion{}
		}
		return errors.Join(err, json.NewEncoder(out).Encode(unused))
	}
	return errors.Join(err, listLayers(out, unused, o))
}

func listLayers(out io.Writer, unused []aws.LayerVersion, o layersOptions) error {
	if len(unused) == 0 {
		_, err := fmt.Fprintln(out, "no layer is unused")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "LAYER VERSION\tMADE\tSTATE")
	left := 0
	for _, v := range unused {
		state := "unused"
		switch {
		case v.Removed:
			state = "removed"
		case v.Fresh:
			state = "kept: younger than " + o.minAge.String()
		default:
			left++
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", v.ARN, v.Created.UTC().Format(time.RFC3339), state)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if left > 0 && !o.remove {
		_, err := fmt.Fprintf(out, "%d can go: faas-lambda layers gc --delete removes them\n", left)
		return err
	}
	return nil
}
