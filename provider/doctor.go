package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws"
	"github.com/faas-lambda/faas-lambda/provider/config"
)

func doctorCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check credentials, permissions, region, registry and limits, and say what to do",
		Long: `Look at everything that the provider needs of AWS, with the configuration and
the credentials that serve would have, and change nothing. The exit status is 1
when something is broken.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Read(os.Getenv)
			if err != nil {
				return err
			}
			found := aws.Examine(cmd.Context(), awsOptions(cfg))
			return report(cmd, found, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// report prints findings; its error says that something is broken.
func report(cmd *cobra.Command, found []aws.Finding, asJSON bool) error {
	broken := 0
	for _, f := range found {
		if f.State == aws.Broken {
			broken++
		}
		if asJSON {
			continue
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%-8s %-15s %s\n", f.State, f.What, f.Said)
		if f.Advice != "" {
			fmt.Fprintf(cmd.OutOrStdout(), "%-8s %-15s → %s\n", "", "", f.Advice)
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
