// Writes the tables that `hardway lint` holds a node against: one JSON file a
// program or configuration kind, an entry a line, sorted, so that a diff between
// two releases reads like a changelog.
//
// build-tables puts this file beside one of the three main.go, each under the
// go.mod of the programs themselves (../programs): same modules, same versions.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
)

// Entry is what is known of a flag or of a field.
type Entry struct {
	Type string `json:"type"`
	// A flag's default as --help has it.
	Default string `json:"default,omitempty"`
	// The program's own words, where it says so.
	Deprecated string `json:"deprecated,omitempty"`
}

// writeTable writes one file below the folder given on the command line.
func writeTable(name string, head [][2]string, member string, entries map[string]Entry) {
	var out bytes.Buffer
	out.WriteString("{\n")
	for _, pair := range head {
		fmt.Fprintf(&out, "  %s: %s,\n", quoted(pair[0]), quoted(pair[1]))
	}
	fmt.Fprintf(&out, "  %s: {\n", quoted(member))
	names := make([]string, 0, len(entries))
	for name := range entries {
		names = append(names, name)
	}
	sort.Strings(names)
	for i, name := range names {
		end := ","
		if i == len(names)-1 {
			end = ""
		}
		fmt.Fprintf(&out, "    %s: %s%s\n", quoted(name), quoted(entries[name]), end)
	}
	out.WriteString("  }\n}\n")
	check(os.WriteFile(filepath.Join(os.Args[1], name+".json"), out.Bytes(), 0o644))
}

func quoted(value any) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	check(encoder.Encode(value))
	return strings.TrimSpace(out.String())
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "tables:", err)
		os.Exit(1)
	}
}

var listed = regexp.MustCompile(`(?m)^ +(?:-[a-zA-Z], )?--([a-zA-Z0-9][a-zA-Z0-9_.-]*)`)

// asTheProgramHasThem holds a program's flags, as its own packages define them,
// against the program itself: what its --help lists must be there, and what it
// does not list (deprecated flags are hidden) stays only if the program takes it.
func asTheProgramHasThem(program string, flags map[string]Entry) map[string]Entry {
	seen := map[string]bool{"help": true}
	for _, match := range listed.FindAllStringSubmatch(output(program, "--help"), -1) {
		seen[match[1]] = true
		if _, known := flags[match[1]]; !known && match[1] != "help" {
			check(fmt.Errorf("%s --help lists --%s, which its packages do not define", program, match[1]))
		}
	}
	if len(seen) < 3 {
		check(fmt.Errorf("%s --help lists no flags", program))
	}
	taken := map[string]Entry{"help": {Type: "bool", Default: "false"}}
	for name, entry := range flags {
		if !seen[name] {
			answer := output(program, "--"+name+"=x", "--help")
			if strings.Contains(answer, "unknown flag: --"+name) || strings.Contains(answer, "not defined: -"+name) {
				continue
			}
		}
		taken[name] = entry
	}
	return taken
}

// output is all that a program says; a bad flag makes it fail, which is an answer too.
func output(program string, arguments ...string) string {
	out, err := exec.Command(program, arguments...).CombinedOutput()
	if _, failed := err.(*exec.ExitError); err != nil && !failed {
		check(err)
	}
	return string(out)
}

// packageFolder is where the source of a package is.
func packageFolder(path string) string {
	command := exec.Command("go", "list", "-f", "{{.Dir}}", path)
	command.Stderr = os.Stderr
	out, err := command.Output()
	check(err)
	return strings.TrimSpace(string(out))
}
