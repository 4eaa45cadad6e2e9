package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/faas-lambda/faas-lambda/provider/config"
)

// command is the program's command line.
func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "faas-lambda",
		Short:         "OpenFaaS functions, unmodified, on AWS Lambda",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(serveCommand(), upCommand(), packageCommand(), &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) { fmt.Fprintln(cmd.OutOrStdout(), version) },
	})
	return root
}

func serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the provider against AWS",
		Long: `Serve the OpenFaaS provider API against AWS Lambda.

Credentials, region and endpoint come from where AWS's SDK looks for them: the
environment, the shared configuration files, a web identity, the instance.
AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_LAMBDA replace the endpoint. The settings
are environment variables; docs/configuration.md lists them.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Read(os.Getenv)
			if err != nil {
				return err
			}
			if err := cfg.Serve(); err != nil {
				return err
			}
			listener, err := listen(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			return serve(cmd.Context(), cfg, listener, newLogger(os.Stderr, cfg))
		},
	}
	return cmd
}
