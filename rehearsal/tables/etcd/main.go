// tables FOLDER etcd FILE: etcd's flags; FILE is the real program.
//
// Most are defined by a function that can be called. The few that belong to the
// program alone, and its words on deprecated ones, stand in a source file of its own.
package main

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"

	"go.etcd.io/etcd/server/v3/embed"
	_ "go.etcd.io/etcd/server/v3/etcdmain"
)

// Types of flags by the Go type of their value; what is not here is a string.
var types = map[string]string{
	"flag.boolValue":           "bool",
	"flag.durationValue":       "duration",
	"flag.float64Value":        "float64",
	"flag.int64Value":          "int64",
	"flag.intValue":            "int",
	"flag.uint64Value":         "uint64",
	"flag.uintValue":           "uint",
	"flags.StringsValue":       "stringSlice",
	"flags.URLsValue":          "stringSlice",
	"flags.UniqueStringsValue": "stringSlice",
	"flags.UniqueURLs":         "stringSlice",
	"flags.uint32Value":        "uint32",
}

var (
	usageSaysSo = regexp.MustCompile(`(?:It's d|\bD)eprecated\b.*`)
	// A flag's line, and the indented ones below it.
	helpBlocks = regexp.MustCompile(`(?m)^  --([a-z0-9-]+).*\n((?: {3,}.*\n)*)`)
)

func main() {
	flags := map[string]Entry{}
	set := flag.NewFlagSet("etcd", flag.ContinueOnError)
	embed.NewConfig().AddFlags(set)
	set.VisitAll(func(flag *flag.Flag) {
		value := reflect.TypeOf(flag.Value)
		for value.Kind() == reflect.Pointer {
			value = value.Elem()
		}
		word := types[value.String()]
		if word == "" {
			word = "string"
		}
		flags[flag.Name] = Entry{Type: word, Default: flag.DefValue, Deprecated: usageSaysSo.FindString(flag.Usage)}
	})
	source := filepath.Join(packageFolder("go.etcd.io/etcd/server/v3/etcdmain"), "config.go")
	file, err := parser.ParseFile(token.NewFileSet(), source, nil, 0)
	check(err)
	ast.Inspect(file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.CallExpr: // fs.Var(value, "name", "usage"), fs.BoolVar(pointer, "name", false, "usage")
			if call, ok := node.Fun.(*ast.SelectorExpr); ok && isNamed(call.X, "fs") && len(node.Args) > 2 {
				if name := text(node.Args[1]); name != "" && flags[name].Type == "" {
					word := "string"
					if call.Sel.Name == "BoolVar" {
						word = "bool"
					}
					flags[name] = Entry{Type: word}
				}
			}
		case *ast.ValueSpec: // deprecatedFlags = map[string]string{"name": "words", …}
			if len(node.Values) == 1 && isNamed(node.Names[0], "deprecatedFlags") {
				for _, element := range node.Values[0].(*ast.CompositeLit).Elts {
					pair := element.(*ast.KeyValueExpr)
					entry := flags[text(pair.Key)]
					if entry.Type == "" {
						entry.Type = "string"
					}
					entry.Deprecated = text(pair.Value)
					flags[text(pair.Key)] = entry
				}
			}
		}
		return true
	})
	// The rest is said in the program's help alone.
	for _, block := range helpBlocks.FindAllStringSubmatch(output(os.Args[3], "--help"), -1) {
		entry := flags[block[1]]
		if words := usageSaysSo.FindString(block[2]); words != "" && entry.Type != "" && entry.Deprecated == "" {
			entry.Deprecated = words
			flags[block[1]] = entry
		}
	}
	writeTable(os.Args[2], [][2]string{{"program", os.Args[2]}}, "flags", asTheProgramHasThem(os.Args[3], flags))
}

func isNamed(node ast.Expr, name string) bool {
	identifier, ok := node.(*ast.Ident)
	return ok && identifier.Name == name
}

// text is what a string literal says; "" for anything else.
func text(node ast.Expr) string {
	literal, ok := node.(*ast.BasicLit)
	if !ok {
		return ""
	}
	said, err := strconv.Unquote(literal.Value)
	if err != nil {
		return ""
	}
	return said
}
