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
	root.AddCommand(serveCommand(), upCommand(), packageCommand(), inspectCommand(), rollbackCommand(), layersCommand(), iamCommand(), doctorCommand(), buildCommand(), runCommand(), &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) { fmt.Fprintln(cmd.OutOrStdout(), version) },
	})
	return root
}

func serveCommand() *cobra.Command {
	var kind, file string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the provider against AWS, or another backend",
		Long: `Serve the OpenFaaS provider API: against AWS Lambda, another OpenFaaS provider
or gateway, memory, or a federation of these.

For AWS, credentials, region and endpoint come from where its SDK looks for
them: the environment, the shared configuration files, a web identity, the
instance. AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_LAMBDA replace the endpoint. The
settings are environment variables, and those of backends keys of a file;
docs/configuration.md lists them.`,
		Example: "  faas-lambda serve --backend memory\n  faas-lambda serve --backend federation --config federation.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Read(os.Getenv)
			if err == nil {
				cfg, err = cfg.ReadFile(file, kind)
			}
			if err == nil {
				err = cfg.Serve()
			}
			if err != nil {
				return err
			}
			listener, err := listen(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			return serve(cmd.Context(), cfg, listener, newLogger(os.Stderr, cfg))
		},
	}
	cmd.Flags().StringVar(&kind, "backend", "", "aws, memory, remote or federation (default: the one section of --config, else aws)")
	cmd.Flags().StringVar(&file, "config", "", "YAML file with the settings of the backend")
	return cmd
}
