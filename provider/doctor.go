package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/doctor"
	"github.com/faas-lambda/faas-lambda/provider/config"
)

func doctorCommand() *cobra.Command {
	var asJSON bool
	var file string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check credentials, permissions, region, registry and limits, and say what to do",
		Long: `Look at everything that the provider needs of AWS, with the configuration and
the credentials that serve would have, and change nothing. The exit status is 1
when something is broken.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Read(os.Getenv)
			if err == nil {
				cfg, err = cfg.ReadFile(file, "")
			}
			if err != nil {
				return err
			}
			found, err := examine(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			return report(cmd, found, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&file, "config", "", "YAML file with the settings of the backend, as of serve")
	return cmd
}

// examine examines the AWS of a configuration, or each part of a federation that
// is on AWS.
func examine(ctx context.Context, cfg config.Config) ([]doctor.Finding, error) {
	parts := []config.Child{{AWS: cfg.File.AWS}}
	switch cfg.File.Kind {
	case "aws":
	case "federation":
		parts = slices.DeleteFunc(slices.Clone(cfg.File.Federation.Children), func(c config.Child) bool { return c.AWS == nil })
	default:
		parts = nil
	}
	if len(parts) == 0 {
		return nil, fmt.Errorf("examine AWS: the backend %s has nothing there", cfg.File.Kind)
	}
	var all []doctor.Finding
	for _, part := range parts {
		options := awsOptions(cfg)
		if part.AWS != nil {
			if err := override(&options, *part.AWS); err != nil {
				return nil, err
			}
		}
		for _, f := range aws.Examine(ctx, options) {
			if part.Name != "" {
				f.What = part.Name + ": " + f.What
			}
			all = append(all, f)
		}
	}
	return all, nil
}

// report prints findings; its error says that something is broken.
func report(cmd *cobra.Command, found []doctor.Finding, asJSON bool) error {
	broken, width := 0, 0
	for _, f := range found {
		width = max(width, len(f.What))
	}
	for _, f := range found {
		if f.State == doctor.Broken {
			broken++
		}
		if asJSON {
			continue
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%-8s %-*s %s\n", f.State, width, f.What, f.Said)
		if f.Advice != "" {
			fmt.Fprintf(cmd.OutOrStdout(), "%-8s %-*s → %s\n", "", width, "", f.Advice)
		}
	}
	if asJSON {
		out := json.NewEncoder(cmd.OutOrStdout())
		out.SetIndent("", "  ")
		if err := out.Encode(found); err != nil {
			return fmt.Errorf("print findings: %w", err)
		}
	}
	if broken > 0 {
		return fmt.Errorf("%d of %d checks found something broken", broken, len(found))
	}
	return nil
}
