package aws

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/annotations"
)

// configuration is what a deployment decides of a function's configuration in
// Lambda. What it does not name is as Lambda has it by default; see resetting.
func (p plan) configuration(c code) *lambda.UpdateFunctionConfigurationInput {
	in := &lambda.UpdateFunctionConfigurationInput{
		FunctionName: &p.function,
		Role:         &p.Role,
		MemorySize:   aws.Int32(int32(p.memory)),
		Timeout:      aws.Int32(int32(p.timeout.Seconds())),
		Environment:  &lambdatypes.Environment{Variables: maps.Clone(p.env)},
		Layers:       slices.Concat(c.layers, p.Layers),
	}
	if c.packageType != lambdatypes.PackageTypeImage {
		in.Runtime, in.Handler = lambdatypes.RuntimeProvidedal2023, aws.String("bootstrap")
		if c.runtime != "" {
			in.Runtime = lambdatypes.Runtime(c.runtime)
		}
		if c.handler != "" {
			in.Handler = &c.handler
		}
	}
	configure(in, p.Settings)
	return in
}

// configure adds what annotations say.
func configure(in *lambda.UpdateFunctionConfigurationInput, x annotations.Settings) {
	if len(x.Subnets) > 0 {
		in.VpcConfig = &lambdatypes.VpcConfig{SubnetIds: x.Subnets, SecurityGroupIds: x.SecurityGroups, Ipv6AllowedForDualStack: aws.Bool(x.DualStack)}
	}
	if x.Storage > 0 {
		in.EphemeralStorage = &lambdatypes.EphemeralStorage{Size: &x.Storage}
	}
	if x.Tracing {
		in.TracingConfig = &lambdatypes.TracingConfig{Mode: lambdatypes.TracingModeActive}
	}
	if x.LogFormat != "" || x.LogGroup != "" {
		in.LoggingConfig = &lambdatypes.LoggingConfig{LogFormat: lambdatypes.LogFormat(x.LogFormat)}
		if x.LogGroup != "" {
			in.LoggingConfig.LogGroup = &x.LogGroup
		}
	}
	if x.DeadLetter != "" {
		in.DeadLetterConfig = &lambdatypes.DeadLetterConfig{TargetArn: &x.DeadLetter}
	}
	if x.SnapStart {
		in.SnapStart = &lambdatypes.SnapStart{ApplyOn: lambdatypes.SnapStartApplyOnPublishedVersions}
	}
	if x.KMSKey != "" {
		in.KMSKeyArn = &x.KMSKey
	}
	for _, fs := range x.FileSystems {
		in.FileSystemConfigs = append(in.FileSystemConfigs, lambdatypes.FileSystemConfig{Arn: &fs.ARN, LocalMountPath: &fs.Path})
	}
}

// resetting returns in with what a function has and in does not name set to what
// Lambda has by default: an update leaves alone what it does not name.
func resetting(in *lambda.UpdateFunctionConfigurationInput, has lambdatypes.FunctionConfiguration) *lambda.UpdateFunctionConfigurationInput {
	out := *in
	if out.VpcConfig == nil && has.VpcConfig != nil && len(has.VpcConfig.SubnetIds) > 0 {
		out.VpcConfig = &lambdatypes.VpcConfig{SubnetIds: []string{}, SecurityGroupIds: []string{}}
	}
	if out.EphemeralStorage == nil && has.EphemeralStorage != nil && aws.ToInt32(has.EphemeralStorage.Size) != annotations.MinStorage {
		out.EphemeralStorage = &lambdatypes.EphemeralStorage{Size: aws.Int32(annotations.MinStorage)}
	}
	if out.TracingConfig == nil && has.TracingConfig != nil && has.TracingConfig.Mode == lambdatypes.TracingModeActive {
		out.TracingConfig = &lambdatypes.TracingConfig{Mode: lambdatypes.TracingModePassThrough}
	}
	if own := "/aws/lambda/" + aws.ToString(has.FunctionName); has.LoggingConfig != nil {
		logging := lambdatypes.LoggingConfig{LogFormat: lambdatypes.LogFormatText, LogGroup: &own}
		if out.LoggingConfig != nil && out.LoggingConfig.LogFormat != "" {
			logging.LogFormat = out.LoggingConfig.LogFormat
		}
		if out.LoggingConfig != nil && out.LoggingConfig.LogGroup != nil {
			logging.LogGroup = out.LoggingConfig.LogGroup
		}
		if has.LoggingConfig.LogFormat != logging.LogFormat || aws.ToString(has.LoggingConfig.LogGroup) != *logging.LogGroup {
			out.LoggingConfig = &logging
		}
	}
	if out.DeadLetterConfig == nil && has.DeadLetterConfig != nil && aws.ToString(has.DeadLetterConfig.TargetArn) != "" {
		out.DeadLetterConfig = &lambdatypes.DeadLetterConfig{TargetArn: aws.String("")}
	}
	if out.SnapStart == nil && has.SnapStart != nil && has.SnapStart.ApplyOn == lambdatypes.SnapStartApplyOnPublishedVersions {
		out.SnapStart = &lambdatypes.SnapStart{ApplyOn: lambdatypes.SnapStartApplyOnNone}
	}
	if out.KMSKeyArn == nil && aws.ToString(has.KMSKeyArn) != "" {
		out.KMSKeyArn = aws.String("")
	}
	if len(out.FileSystemConfigs) == 0 && len(has.FileSystemConfigs) > 0 {
		out.FileSystemConfigs = []lambdatypes.FileSystemConfig{}
	}
	if len(out.Layers) == 0 && len(has.Layers) > 0 {
		out.Layers = []string{}
	}
	return &out
}

// configurationOf is the configuration of a version, to make $LATEST like it.
func configurationOf(c lambdatypes.FunctionConfiguration) *lambda.UpdateFunctionConfigurationInput {
	in := &lambda.UpdateFunctionConfigurationInput{
		FunctionName: c.FunctionName, Description: c.Description, Role: c.Role, MemorySize: c.MemorySize, Timeout: c.Timeout,
		Runtime: c.Runtime, Handler: c.Handler, Environment: &lambdatypes.Environment{Variables: map[string]string{}},
		EphemeralStorage: c.EphemeralStorage, LoggingConfig: c.LoggingConfig, KMSKeyArn: c.KMSKeyArn, FileSystemConfigs: c.FileSystemConfigs,
	}
	if c.Environment != nil && c.Environment.Variables != nil {
		in.Environment.Variables = c.Environment.Variables
	}
	if c.VpcConfig != nil && len(c.VpcConfig.SubnetIds) > 0 {
		in.VpcConfig = &lambdatypes.VpcConfig{SubnetIds: c.VpcConfig.SubnetIds, SecurityGroupIds: c.VpcConfig.SecurityGroupIds, Ipv6AllowedForDualStack: c.VpcConfig.Ipv6AllowedForDualStack}
	}
	if c.TracingConfig != nil {
		in.TracingConfig = &lambdatypes.TracingConfig{Mode: c.TracingConfig.Mode}
	}
	if c.DeadLetterConfig != nil {
		in.DeadLetterConfig = c.DeadLetterConfig
	}
	if c.SnapStart != nil {
		in.SnapStart = &lambdatypes.SnapStart{ApplyOn: c.SnapStart.ApplyOn}
	}
	for _, layer := range c.Layers {
		in.Layers = append(in.Layers, aws.ToString(layer.Arn))
	}
	return in
}

// creation is the request that makes a function with that configuration.
func creation(in *lambda.UpdateFunctionConfigurationInput, p plan, c code, tags map[string]string) *lambda.CreateFunctionInput {
	out := &lambda.CreateFunctionInput{
		FunctionName: in.FunctionName, Description: in.Description, Role: in.Role, MemorySize: in.MemorySize, Timeout: in.Timeout,
		Runtime: in.Runtime, Handler: in.Handler, Environment: in.Environment, Layers: in.Layers, VpcConfig: in.VpcConfig,
		EphemeralStorage: in.EphemeralStorage, TracingConfig: in.TracingConfig, LoggingConfig: in.LoggingConfig,
		DeadLetterConfig: in.DeadLetterConfig, SnapStart: in.SnapStart, KMSKeyArn: in.KMSKeyArn, FileSystemConfigs: in.FileSystemConfigs,
		PackageType: lambdatypes.PackageTypeZip, Architectures: architectures(p.arch), Tags: tags, Code: &lambdatypes.FunctionCode{},
	}
	if c.packageType != "" {
		out.PackageType = c.packageType
	}
	switch {
	case c.imageURI != "":
		out.Code.ImageUri = &c.imageURI
	case c.s3Key != "":
		out.Code.S3Bucket, out.Code.S3Key = &c.s3Bucket, &c.s3Key
	default:
		out.Code.ZipFile = c.zip
	}
	return out
}

// digest names a deployment by everything that its function depends on: what
// was deployed, and what the provider makes of it.
func (p plan) digest(c code) (string, error) {
	text, err := json.Marshal(struct {
		Deployed      types.FunctionDeployment
		Configuration *lambda.UpdateFunctionConfigurationInput
		Arch, Package string
		Code, Image   string
		Keys          []string `json:",omitempty"` // that its role may use
	}{p.deployment, p.configuration(c), p.arch, string(c.packageType), c.sha256, c.imageURI, p.roleKeys()})
	if err != nil {
		return "", fmt.Errorf("name deployment of function %s: %w", p.name, err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8]), nil
}

func architectures(arch string) []lambdatypes.Architecture {
	if arch == "arm64" {
		return []lambdatypes.Architecture{lambdatypes.ArchitectureArm64}
	}
	return []lambdatypes.Architecture{lambdatypes.ArchitectureX8664}
}
