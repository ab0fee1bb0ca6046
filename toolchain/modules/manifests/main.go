// Writes the manifests that a vendor's chart or kustomization stands for to standard output.
//
//	manifests kustomize DIR
//	manifests chart DIR NAMESPACE KUBE_VERSION APP_VERSION [VALUES.yaml|KEY=VALUE]...
package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/strvals"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

func main() {
	var text string
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "kustomize":
		text, err = kustomized(os.Args[2])
	case len(os.Args) >= 6 && os.Args[1] == "chart":
		text, err = rendered(os.Args[2], os.Args[3], os.Args[4], os.Args[5], os.Args[6:])
	default:
		err = fmt.Errorf("usage: manifests kustomize DIR | manifests chart DIR NAMESPACE KUBE_VERSION APP_VERSION [VALUES]")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Print(text)
}

func kustomized(dir string) (string, error) {
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return "", err
	}
	text, err := made.AsYaml()
	return string(text), err
}

// files reads a chart as it stands in its repository, where the release tool has not yet written Chart.yaml.
func files(dir, version string) ([]*loader.BufferedFile, error) {
	var found []*loader.BufferedFile
	err := filepath.Walk(dir, func(file string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(file)
		if name == "Chart.template.yaml" {
			name = "Chart.yaml"
			data = []byte(strings.ReplaceAll(string(data), "v0.1.0", version))
		}
		found = append(found, &loader.BufferedFile{Name: filepath.ToSlash(name), Data: data})
		return err
	})
	return found, err
}

func rendered(dir, namespace, kubeVersion, version string, given []string) (string, error) {
	content, err := files(dir, version)
	if err != nil {
		return "", err
	}
	loaded, err := loader.LoadFiles(content)
	if err != nil {
		return "", err
	}
	values, err := overrides(given)
	if err != nil {
		return "", err
	}
	if err := chartutil.ProcessDependenciesWithMerge(loaded, values); err != nil {
		return "", err
	}
	kube, err := chartutil.ParseKubeVersion(kubeVersion)
	if err != nil {
		return "", err
	}
	able := chartutil.DefaultCapabilities.Copy()
	able.KubeVersion = *kube
	release := chartutil.ReleaseOptions{Name: loaded.Name(), Namespace: namespace, Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(loaded, values, release, able)
	if err != nil {
		return "", err
	}
	texts, err := engine.Render(loaded, all)
	if err != nil {
		return "", err
	}
	return joined(loaded, texts), nil
}

func overrides(given []string) (map[string]any, error) {
	values := map[string]any{}
	for _, one := range given {
		if strings.HasSuffix(one, ".yaml") {
			read, err := chartutil.ReadValuesFile(one)
			if err != nil {
				return nil, err
			}
			values = chartutil.CoalesceTables(values, read)
		} else if err := strvals.ParseInto(one, values); err != nil {
			return nil, err
		}
	}
	return values, nil
}

func joined(loaded *chart.Chart, texts map[string]string) string {
	var names []string
	for name := range texts {
		if base := path.Base(name); strings.HasSuffix(base, ".yaml") && !strings.HasPrefix(base, "_") {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	var out strings.Builder
	for _, crd := range loaded.CRDObjects() {
		fmt.Fprintf(&out, "---\n%s\n", crd.File.Data)
	}
	for _, name := range names {
		if strings.TrimSpace(texts[name]) != "" {
			fmt.Fprintf(&out, "---\n# Source: %s\n%s\n", name, texts[name])
		}
	}
	return out.String()
}
