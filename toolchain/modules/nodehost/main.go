// Command pulumi-language-nodejs is the engine's host for programs in Node.js: it generates packages with the engine's
// own generator, adds them to package.json, and starts programs with the SDK's cmd/run. The vendor's is no part of a
// module that the Go proxy serves. What this one leaves out, such as plugins and policies in Node.js, `pulumi new`,
// debuggers, pnpm, yarn and bun, answers "not implemented".
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/pulumi/pulumi/pkg/v3/codegen/nodejs"
	"github.com/pulumi/pulumi/pkg/v3/codegen/schema"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	"github.com/pulumi/pulumi/sdk/v3/go/common/version"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

// The exit code of cmd/run after it has told the user what went wrong.
const told = 32

type host struct {
	pulumirpc.UnimplementedLanguageRuntimeServer
	engine string
}

func main() {
	if err := serve(os.Args[len(os.Args)-1]); err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-language-nodejs:", err)
		os.Exit(1)
	}
}

// serve answers the engine at this address until it is gone or asks for the end.
func serve(engine string) error {
	alive, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := rpcutil.Healthcheck(alive, engine, 5*time.Minute, stop); err != nil {
		return err
	}
	gone := make(chan bool)
	go func() {
		<-alive.Done()
		close(gone)
	}()
	served, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel: gone,
		Init: func(server *grpc.Server) error {
			pulumirpc.RegisterLanguageRuntimeServer(server, &host{engine: engine})
			return nil
		},
	})
	if err != nil {
		return err
	}
	fmt.Println(served.Port) // the engine waits for it
	return <-served.Done
}

func (h *host) Handshake(_ context.Context, request *pulumirpc.LanguageHandshakeRequest) (
	*pulumirpc.LanguageHandshakeResponse, error,
) {
	h.engine = request.EngineAddress
	return &pulumirpc.LanguageHandshakeResponse{}, nil
}

func (h *host) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: version.Version}, nil
}

// GeneratePackage writes the TypeScript package of a schema.
func (h *host) GeneratePackage(_ context.Context, request *pulumirpc.GeneratePackageRequest) (
	*pulumirpc.GeneratePackageResponse, error,
) {
	loader, spec, err := opened(request.LoaderTarget, request.Schema)
	if err != nil {
		return nil, err
	}
	bound, diagnostics, err := schema.BindSpec(spec, loader, schema.ValidationOptions{AllowDanglingReferences: true})
	if err != nil {
		return nil, err
	}
	answer := &pulumirpc.GeneratePackageResponse{Diagnostics: plugin.HclDiagnosticsToRPCDiagnostics(diagnostics)}
	if diagnostics.HasErrors() {
		return answer, nil
	}
	files, err := nodejs.GeneratePackage(
		"pulumi-language-nodejs", bound, request.ExtraFiles, request.LocalDependencies, request.Local, loader,
	)
	if err != nil {
		return nil, err
	}
	for name, text := range files {
		path := filepath.Join(request.Directory, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return nil, err
		}
	}
	return answer, nil
}

func opened(address, text string) (schema.ReferenceLoader, schema.PackageSpec, error) {
	var spec schema.PackageSpec
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		return nil, spec, err
	}
	client, err := schema.NewLoaderClient(address)
	if err != nil {
		return nil, spec, err
	}
	return schema.NewCachedLoader(client), spec, nil
}

// Link adds generated packages to the dependencies in package.json, by a path relative to it.
func (h *host) Link(_ context.Context, request *pulumirpc.LinkRequest) (*pulumirpc.LinkResponse, error) {
	var lines []string
	for _, one := range request.Packages {
		about, err := read(filepath.Join(request.Info.ProgramDirectory, one.Path))
		if err != nil {
			return nil, err
		}
		dependency := fmt.Sprintf("dependencies.%s=file:%s", about.Name, filepath.ToSlash(one.Path))
		command := exec.Command("npm", "pkg", "set", dependency)
		command.Dir = request.Info.ProgramDirectory
		if said, err := command.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("npm pkg set %s: %w: %s", dependency, err, said)
		}
		lines = append(lines, fmt.Sprintf("  import * as %s from \"%s\";\n", one.Package.Name, about.Name))
	}
	text := "You can import the SDK in your TypeScript code with:\n\n" + strings.Join(lines, "")
	return &pulumirpc.LinkResponse{ImportInstructions: text}, nil
}

// InstallDependencies installs what package.json asks for, and compiles the generated packages, whose own scripts do it.
func (h *host) InstallDependencies(
	request *pulumirpc.InstallDependenciesRequest, stream pulumirpc.LanguageRuntime_InstallDependenciesServer,
) error {
	command := exec.CommandContext(stream.Context(), "npm", "install", "--loglevel=error")
	command.Dir = request.Info.ProgramDirectory
	command.Stdout = writer(func(text []byte) error {
		return stream.Send(&pulumirpc.InstallDependenciesResponse{Stdout: text})
	})
	command.Stderr = command.Stdout // one writer: messages of a stream are sent one after the other
	if err := command.Run(); err != nil {
		return fmt.Errorf("npm install: %w", err)
	}
	return nil
}

type writer func([]byte) error

func (w writer) Write(text []byte) (int, error) { return len(text), w(text) }

var _ io.Writer = writer(nil)

// GetRequiredPackages lists the plugins that the packages in node_modules belong to.
func (h *host) GetRequiredPackages(_ context.Context, request *pulumirpc.GetRequiredPackagesRequest) (
	*pulumirpc.GetRequiredPackagesResponse, error,
) {
	answer := &pulumirpc.GetRequiredPackagesResponse{}
	modules := filepath.Join(request.Info.ProgramDirectory, "node_modules")
	for _, pattern := range []string{"*", "@*/*"} {
		found, err := filepath.Glob(filepath.Join(modules, pattern, "package.json"))
		if err != nil {
			return nil, err
		}
		for _, file := range found {
			about, err := read(filepath.Dir(file))
			if err != nil {
				return nil, err
			}
			if !about.Pulumi.Resource {
				continue
			}
			answer.Packages = append(answer.Packages, &pulumirpc.PackageDependency{
				Name: about.Pulumi.Name, Version: about.Pulumi.Version, Server: about.Pulumi.Server, Kind: "resource",
			})
		}
	}
	return answer, nil
}

type about struct {
	Name   string                  `json:"name"`
	Pulumi plugin.PulumiPluginJSON `json:"pulumi"`
}

// read returns what the package in this folder says about itself. `pulumi` may have another form in packages that are
// no plugins.
func read(folder string) (about, error) {
	var found about
	text, err := os.ReadFile(filepath.Join(folder, "package.json"))
	if err != nil {
		return found, err
	}
	var other *json.UnmarshalTypeError
	if err := json.Unmarshal(text, &found); err != nil && !errors.As(err, &other) {
		return found, fmt.Errorf("%s/package.json: %w", folder, err)
	}
	return found, nil
}

// Run starts the program with the SDK in its node_modules, and waits for it.
func (h *host) Run(ctx context.Context, request *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	runner := filepath.Join(request.Info.ProgramDirectory, "node_modules", "@pulumi", "pulumi", "cmd", "run")
	if _, err := os.Stat(runner); err != nil {
		return &pulumirpc.RunResponse{Error: "The Pulumi SDK is not installed; run npm install."}, nil
	}
	config, err := json.Marshal(request.Config)
	if err != nil {
		return nil, err
	}
	secrets, err := json.Marshal(request.ConfigSecretKeys)
	if err != nil {
		return nil, err
	}
	arguments := []string{
		runner, "--monitor", request.MonitorAddress, "--engine", h.engine, "--organization", request.Organization,
		"--project", request.Project, "--stack", request.Stack, "--root-directory", request.Info.RootDirectory,
		"--pwd", request.Pwd, "--parallel", fmt.Sprint(request.Parallel),
	}
	if request.DryRun {
		arguments = append(arguments, "--dry-run")
	}
	command := exec.CommandContext(ctx, "node", append(append(arguments, request.Info.EntryPoint), request.Args...)...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	command.Env = append(
		os.Environ(),
		"PULUMI_CONFIG="+string(config), "PULUMI_CONFIG_SECRET_KEYS="+string(secrets), "PULUMI_NODEJS_TYPESCRIPT=true",
	)
	err = command.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return &pulumirpc.RunResponse{}, nil
	case errors.As(err, &exit) && exit.ExitCode() == told:
		return &pulumirpc.RunResponse{Bail: true}, nil
	}
	return &pulumirpc.RunResponse{Error: "The program ended with an error: " + err.Error()}, nil
}
