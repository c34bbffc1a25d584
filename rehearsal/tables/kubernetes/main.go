// tables FOLDER [PROGRAM FILE]: the flags of one of Kubernetes' programs, of which
// FILE is the real one; without a program, the fields of the configuration kinds.
//
// A program a run: each registers its feature gates for the whole process.
package main

import (
	"os"
	"reflect"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	_ "k8s.io/component-base/logs/json/register"

	apiserverv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	cliflag "k8s.io/component-base/cli/flag"
	proxyv1alpha1 "k8s.io/kube-proxy/config/v1alpha1"
	schedulerv1 "k8s.io/kube-scheduler/config/v1"
	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	"k8s.io/kubernetes/cmd/kubelet/app/options"
)

var programs = map[string]func() *pflag.FlagSet{
	"kube-apiserver":          func() *pflag.FlagSet { return flagsOf(apiserver.NewAPIServerCommand()) },
	"kube-controller-manager": func() *pflag.FlagSet { return flagsOf(controllermanager.NewControllerManagerCommand()) },
	"kube-proxy":              func() *pflag.FlagSet { return flagsOf(proxy.NewProxyCommand()) },
	"kube-scheduler":          func() *pflag.FlagSet { return flagsOf(scheduler.NewSchedulerCommand()) },
	"kubelet":                 kubeletFlags,
}

// flagsOf gives a command's flags, and those that packages define for every command
// of theirs (pflag.CommandLine): the program itself is asked which of these it takes.
func flagsOf(command *cobra.Command) *pflag.FlagSet {
	command.SetGlobalNormalizationFunc(cliflag.WordSepNormalizeFunc) // as each program's main does
	return command.LocalFlags()
}

// kubeletFlags makes the set that the kubelet keeps to itself, past cobra.
func kubeletFlags() *pflag.FlagSet {
	set := pflag.NewFlagSet("kubelet", pflag.ContinueOnError)
	set.SetNormalizeFunc(cliflag.WordSepNormalizeFunc)
	options.NewKubeletFlags().AddFlags(set)
	config, err := options.NewKubeletConfiguration()
	check(err)
	options.AddKubeletConfigFlags(set, config)
	options.AddGlobalFlags(set)
	return set
}

// What hardway writes, by apiVersion and kind.
var kinds = []struct {
	apiVersion, kind string
	of               reflect.Type
}{
	{"apiserver.config.k8s.io/v1", "EncryptionConfiguration", reflect.TypeFor[apiserverv1.EncryptionConfiguration]()},
	{"audit.k8s.io/v1", "Policy", reflect.TypeFor[auditv1.Policy]()},
	{"kubelet.config.k8s.io/v1beta1", "KubeletConfiguration", reflect.TypeFor[kubeletv1beta1.KubeletConfiguration]()},
	{"kubeproxy.config.k8s.io/v1alpha1", "KubeProxyConfiguration", reflect.TypeFor[proxyv1alpha1.KubeProxyConfiguration]()},
	{"kubescheduler.config.k8s.io/v1", "KubeSchedulerConfiguration", reflect.TypeFor[schedulerv1.KubeSchedulerConfiguration]()},
}

func main() {
	if len(os.Args) == 2 {
		for _, kind := range kinds {
			schema := Schema{tag: "json", fields: map[string]Entry{}}
			schema.add("", kind.of, "")
			writeTable(kind.kind, [][2]string{{"apiVersion", kind.apiVersion}, {"kind", kind.kind}}, "fields", schema.fields)
		}
		return
	}
	name, program := os.Args[2], os.Args[3]
	flags := map[string]Entry{}
	programs[name]().VisitAll(func(flag *pflag.Flag) {
		entry := Entry{Type: flag.Value.Type(), Default: flag.DefValue, Deprecated: flag.Deprecated}
		if entry.Deprecated == "" {
			entry.Deprecated = deprecation(flag.Usage)
		}
		flags[flag.Name] = entry
	})
	writeTable(name, [][2]string{{"program", name}}, "flags", asTheProgramHasThem(program, flags))
}
