package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/openfaas/faas-provider/types"
	"github.com/spf13/cobra"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/policy"
	"github.com/faas-lambda/faas-lambda/provider/config"
)

// iamOptions are the flags of iam.
type iamOptions struct {
	functions, trust, managed  bool
	function, namespace        string
	secrets, annotations, keys []string
	account, region, partition string
}

func iamCommand() *cobra.Command {
	var o iamOptions
	var file string
	cmd := &cobra.Command{
		Use:   "iam",
		Short: "Print the IAM policies that the provider and functions need",
		Long: `Print an IAM policy document: what the provider has to be allowed, and no more.
With --functions or --function, what the role of functions has to be allowed;
with --trust, who may take that role. It calls no service. Bucket, repository,
role and the store of secrets are as the environment, or --config, says.
What --function prints is what a managed role has for the same deployment.`,
		Example: `  faas-lambda iam --account 123456789012 --region eu-central-1 > provider.json
  aws iam put-role-policy --role-name faas-lambda --policy-name provider --policy-document file://provider.json
  faas-lambda iam --function hello --secret api-key --annotation com.openfaas.lambda/tracing=Active`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Read(os.Getenv)
			if err == nil {
				cfg, err = cfg.ReadFile(file, "")
			}
			if err != nil {
				return err
			}
			document, err := o.policy(cfg)
			if err != nil {
				return err
			}
			out := json.NewEncoder(cmd.OutOrStdout())
			out.SetIndent("", "  ")
			out.SetEscapeHTML(false)
			return out.Encode(document)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.functions, "functions", false, "print what the role of all functions of a namespace needs")
	f.StringVar(&o.function, "function", "", "print what the role of this function needs")
	f.StringVarP(&o.namespace, "namespace", "n", "", "of the functions (default the configured one)")
	f.StringSliceVar(&o.secrets, "secret", nil, "a secret of the function; may be repeated")
	f.StringArrayVar(&o.annotations, "annotation", nil, "an annotation of the function, KEY=VALUE as faas-cli deploy takes it; may be repeated")
	f.StringSliceVar(&o.keys, "kms-key", nil, "ARN, id or alias of a KMS key that encrypts secrets of the function; may be repeated")
	f.BoolVar(&o.managed, "managed-roles", false, "functions may ask for managed roles by annotation; with lambda_execution_role=managed it is always so")
	f.BoolVar(&o.trust, "trust", false, "print who may take the role of functions")
	f.StringVar(&o.account, "account", "", "account id in the ARNs (default any)")
	f.StringVar(&o.region, "region", os.Getenv("AWS_REGION"), "region in the ARNs; empty means any")
	f.StringVar(&file, "config", "", "YAML file with the settings of the backend aws, as of serve")
	f.StringVar(&o.partition, "partition", "aws", "aws, aws-cn or aws-us-gov")
	return cmd
}

func (o iamOptions) policy(cfg config.Config) (policy.Document, error) {
	kinds := 0
	for _, wanted := range []bool{o.functions, o.function != "", o.trust} {
		if wanted {
			kinds++
		}
	}
	switch {
	case kinds > 1:
		return policy.Document{}, errors.New("print policy: of --functions, --function and --trust one may be given")
	case o.function == "" && len(o.secrets)+len(o.annotations)+len(o.keys) > 0:
		return policy.Document{}, errors.New("print policy: --secret, --annotation and --kms-key are about one function: name it with --function")
	case o.managed && kinds > 0:
		return policy.Document{}, errors.New("print policy: --managed-roles is about the policy of the provider")
	}
	if o.namespace == "" {
		o.namespace = cfg.Namespace
	}
	options := awsOptions(cfg)
	if cfg.File.AWS != nil {
		if err := override(&options, *cfg.File.AWS); err != nil {
			return policy.Document{}, err
		}
	}
	place := policy.Place{
		Partition: o.partition, Region: o.region, Account: o.account, Bucket: options.CodeBucket, Role: options.Role,
		ManagedRoles: o.managed, RolePath: options.RolePath, RoleBoundary: options.RoleBoundary, Store: options.SecretStore,
	}
	if place.Region == "" {
		place.Region = options.Region
	}
	if !strings.Contains(options.ImageRepository, "/") {
		place.Repository = options.ImageRepository
	}
	switch {
	case o.trust:
		return policy.Trust(place), nil
	case o.functions:
		return policy.ForNamespace(place, o.namespace, cfg.Lambda.SecretStore), nil
	case o.function != "":
		return o.ofFunction(cfg, place)
	}
	return policy.ForProvider(place), nil
}

// ofFunction is the policy of one function's role: the same that a managed role has.
func (o iamOptions) ofFunction(cfg config.Config, place policy.Place) (policy.Document, error) {
	annotations := map[string]string{}
	for _, annotation := range o.annotations {
		key, value, ok := strings.Cut(annotation, "=")
		if !ok {
			return policy.Document{}, fmt.Errorf("print policy: annotation %q: want KEY=VALUE", annotation)
		}
		annotations[key] = value
	}
	name, err := aws.LambdaName(backend.Name{Namespace: o.namespace, Function: o.function}, cfg.Namespace)
	if err != nil {
		return policy.Document{}, fmt.Errorf("print policy: %w", err)
	}
	document, err := policy.ForFunction(place, policy.Grants{
		Function: name, Store: cfg.Lambda.SecretStore, Keys: o.keys,
		Deployed: types.FunctionDeployment{Service: o.function, Namespace: o.namespace, Secrets: o.secrets, Annotations: &annotations},
	})
	if err != nil {
		return policy.Document{}, fmt.Errorf("print policy of function %s: %w", o.function, err)
	}
	return document, nil
}
