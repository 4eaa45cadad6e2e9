package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws"
	"github.com/faas-lambda/faas-lambda/provider/config"
)

// iamOptions are the flags of iam.
type iamOptions struct {
	functions, trust           bool
	function, namespace        string
	secrets                    []string
	account, region, partition string
}

func iamCommand() *cobra.Command {
	var o iamOptions
	cmd := &cobra.Command{
		Use:   "iam",
		Short: "Print the IAM policies that the provider and functions need",
		Long: `Print an IAM policy document: what the provider has to be allowed, and no more.
With --functions or --function, what the role of functions has to be allowed;
with --trust, who may take that role. It calls no service. Bucket, repository,
role and the store of secrets are as the environment configures the provider.`,
		Example: `  faas-lambda iam --account 123456789012 --region eu-central-1 > provider.json
  aws iam put-role-policy --role-name faas-lambda --policy-name provider --policy-document file://provider.json
  faas-lambda iam --function hello --secret api-key`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Read(os.Getenv)
			if err != nil {
				return err
			}
			policy, err := o.policy(cfg)
			if err != nil {
				return err
			}
			out := json.NewEncoder(cmd.OutOrStdout())
			out.SetIndent("", "  ")
			out.SetEscapeHTML(false)
			return out.Encode(policy)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.functions, "functions", false, "print what the role of all functions of a namespace needs")
	f.StringVar(&o.function, "function", "", "print what the role of this function needs")
	f.StringVarP(&o.namespace, "namespace", "n", "", "of the functions (default the configured one)")
	f.StringSliceVar(&o.secrets, "secret", nil, "a secret of the function; may be repeated")
	f.BoolVar(&o.trust, "trust", false, "print who may take the role of functions")
	f.StringVar(&o.account, "account", "", "account id in the ARNs (default any)")
	f.StringVar(&o.region, "region", os.Getenv("AWS_REGION"), "region in the ARNs; empty means any")
	f.StringVar(&o.partition, "partition", "aws", "aws, aws-cn or aws-us-gov")
	return cmd
}

func (o iamOptions) policy(cfg config.Config) (aws.Policy, error) {
	kinds := 0
	for _, wanted := range []bool{o.functions, o.function != "", o.trust} {
		if wanted {
			kinds++
		}
	}
	switch {
	case kinds > 1:
		return aws.Policy{}, errors.New("print policy: of --functions, --function and --trust one may be given")
	case len(o.secrets) > 0 && o.function == "":
		return aws.Policy{}, errors.New("print policy: --secret is about one function: name it with --function")
	case o.trust:
		return aws.TrustPolicy(), nil
	}
	if o.namespace == "" {
		o.namespace = cfg.Namespace
	}
	place := aws.Place{
		Partition: o.partition, Region: o.region, Account: o.account, Bucket: cfg.Lambda.CodeBucket, Role: cfg.Lambda.Role,
	}
	if !strings.Contains(cfg.Lambda.ImageRepository, "/") {
		place.Repository = cfg.Lambda.ImageRepository
	}
	if kinds == 0 {
		return aws.ProviderPolicy(place), nil
	}
	name := o.function
	if name != "" && o.namespace != cfg.Namespace {
		name = o.namespace + "_" + name // as the provider names it in Lambda
	}
	return aws.FunctionPolicy(place, name, o.namespace, cfg.Lambda.SecretStore, o.secrets), nil
}

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
			found := aws.Examine(cmd.Context(), aws.Options{
				Namespace: cfg.Namespace, Role: cfg.Lambda.Role, Arch: cfg.Lambda.Arch, Memory: cfg.Lambda.Memory, Timeout: cfg.Lambda.Timeout,
				DeployTimeout: cfg.Lambda.DeployTimeout, CodeBucket: cfg.Lambda.CodeBucket, ImageRepository: cfg.Lambda.ImageRepository, SecretStore: cfg.Lambda.SecretStore,
			})
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
