// tables FOLDER containerd FILE: containerd's flags and the fields of its
// configuration; FILE is the real program.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"strings"

	runc "github.com/containerd/containerd/api/types/runc/options"
	_ "github.com/containerd/containerd/v2/cmd/containerd/builtins"
	"github.com/containerd/containerd/v2/cmd/containerd/command"
	"github.com/containerd/containerd/v2/cmd/containerd/server/config"
	"github.com/containerd/plugin"
	"github.com/containerd/plugin/registry"
	"github.com/pelletier/go-toml/v2"
	"github.com/urfave/cli/v2"
)

// The options of the runtime that a Kubernetes node uses. containerd takes any
// map and gives it to the runtime's shim, so the type stands nowhere in the configuration's.
const runcOptions = `plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options`

func main() {
	name, program := os.Args[2], os.Args[3]
	flags := map[string]Entry{}
	for _, flag := range command.App().Flags {
		entry := Entry{Type: "string"}
		switch flag := flag.(type) {
		case *cli.BoolFlag:
			entry.Type = "bool"
		case *cli.StringFlag:
			entry.Default = flag.Value
		}
		flags[flag.Names()[0]] = entry
	}
	flags["version"] = Entry{Type: "bool", Default: "false"}
	writeTable(name, [][2]string{{"program", name}}, "flags", asTheProgramHasThem(program, flags))

	schema := Schema{tag: "toml", fields: map[string]Entry{}}
	schema.add("", reflect.TypeFor[config.Config](), "")
	delete(schema.fields, "plugins")
	for _, one := range registry.Graph(func(*plugin.Registration) bool { return false }) {
		if one.Config != nil {
			schema.add(member("plugins", one.URI()), reflect.TypeOf(one.Config), "")
		}
	}
	delete(schema.fields, `plugins."io.containerd.cri.v1.runtime".containerd.runtimes.*.options.*`)
	schema.add(runcOptions, reflect.TypeFor[runc.Options](), "")
	inTheDefault(program, &schema)
	writeTable(name+"-config", [][2]string{{"program", name}}, "fields", schema.fields)
}

// inTheDefault holds the fields against the default configuration that the
// program itself prints: each of its settings must be known.
func inTheDefault(program string, schema *Schema) {
	out, err := exec.Command(program, "config", "default").Output()
	check(err)
	var found map[string]any
	check(toml.Unmarshal(out, &found))
	schema.mustHave([]string{""}, "", found)
}

// mustHave ends the program where value, at path, is not what one of patterns
// describes; a pattern is a path of the table, `*` for any key.
func (schema *Schema) mustHave(patterns []string, path string, value any) {
	for _, pattern := range patterns {
		if entry, known := schema.fields[pattern]; known && entry.Type != "object" {
			return
		}
	}
	table, isTable := value.(map[string]any)
	if !isTable {
		check(fmt.Errorf("its default configuration sets %s, which its packages do not define", path))
	}
	for key, inner := range table {
		var next []string
		for _, pattern := range patterns {
			for _, candidate := range []string{member(pattern, key), pattern + ".*"} {
				if schema.hasBelow(candidate) {
					next = append(next, candidate)
				}
			}
		}
		schema.mustHave(next, member(path, key), inner)
	}
}

func (schema *Schema) hasBelow(pattern string) bool {
	for path := range schema.fields {
		if path == pattern || strings.HasPrefix(path, pattern+".") || strings.HasPrefix(path, pattern+"[") {
			return true
		}
	}
	return false
}
