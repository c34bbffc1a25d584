// The fields of a configuration file, from the Go types that the program reads
// it into, and which are deprecated, from the comments on those types.
package main

import (
	"encoding"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
)

// Schema walks types; its tag is what names a field: json or toml.
type Schema struct {
	tag    string
	fields map[string]Entry
}

// Types whose form in a file is not that of their Go fields.
var leaves = map[string]string{
	"k8s.io/apimachinery/pkg/api/resource.Quantity":                 "quantity",
	"k8s.io/apimachinery/pkg/apis/meta/v1.Duration":                 "duration",
	"k8s.io/apimachinery/pkg/apis/meta/v1.Time":                     "string",
	"k8s.io/apimachinery/pkg/runtime.RawExtension":                  "any",
	"k8s.io/apimachinery/pkg/runtime.Unknown":                       "any",
	"k8s.io/apimachinery/pkg/util/intstr.IntOrString":               "int or string",
	"k8s.io/component-base/logs/api/v1.TimeOrMetaDuration":          "duration or int",
	"github.com/containerd/containerd/v2/internal/tomlext.Duration": "duration",
}

// The word of a type that is written as one value; "" where it has fields of its own.
func leaf(of reflect.Type) string {
	for of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	if word, known := leaves[of.PkgPath()+"."+of.Name()]; known {
		return word
	}
	pointer := reflect.PointerTo(of)
	if pointer.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return "string"
	}
	if of.Kind() == reflect.Struct && pointer.Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return "any"
	}
	switch of.Kind() {
	case reflect.Bool:
		return "bool"
	case reflect.String:
		return "string"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "int"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "uint"
	case reflect.Float32, reflect.Float64:
		return "float"
	case reflect.Interface:
		return "any"
	case reflect.Slice, reflect.Array:
		if of.Elem().Kind() == reflect.Uint8 {
			return "string" // bytes, in base64
		}
		if word := leaf(of.Elem()); word != "" {
			return "[]" + word
		}
	case reflect.Map:
		if word := leaf(of.Elem()); word != "" {
			return "map[string]" + word
		}
	}
	return ""
}

// add describes what stands at path: one entry a leaf, and one for each
// deprecated field whatever it holds.
func (schema *Schema) add(path string, of reflect.Type, deprecated string) {
	for of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	if word := leaf(of); word != "" {
		schema.fields[path] = Entry{Type: word, Deprecated: deprecated}
		return
	}
	if deprecated != "" {
		schema.fields[path] = Entry{Type: "object", Deprecated: deprecated}
	}
	switch of.Kind() {
	case reflect.Slice, reflect.Array:
		schema.add(path+"[]", of.Elem(), "")
	case reflect.Map:
		schema.add(path+".*", of.Elem(), "")
	case reflect.Struct:
		before := len(schema.fields)
		schema.addFields(path, of)
		if len(schema.fields) == before { // `identity: {}`: there, with nothing in it
			schema.fields[path] = Entry{Type: "object", Deprecated: deprecated}
		}
	}
}

func (schema *Schema) addFields(path string, of reflect.Type) {
	words := deprecations(of)
	for i := range of.NumField() {
		field := of.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get(schema.tag), ",")
		if name == "-" || (!field.IsExported() && !field.Anonymous) {
			continue
		}
		if name == "" && (field.Anonymous || strings.Contains(options, "inline")) {
			inner := field.Type
			for inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			schema.addFields(path, inner)
			continue
		}
		if name == "" {
			name = field.Name
		}
		schema.add(member(path, name), field.Type, words[field.Name])
	}
}

// member is the path of a field; a name with a dot is quoted, as in TOML.
func member(path, name string) string {
	if strings.ContainsAny(name, ".[]*\"") {
		name = `"` + name + `"`
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

var (
	dead    = regexp.MustCompile(`(?is)\bdeprecated\b *[:.,]? *(.*)`)
	parsed  = map[string]map[string]map[string]string{}
	folders = map[string]string{}
)

// deprecations are the words after "Deprecated:" in the comments of a struct's fields.
func deprecations(of reflect.Type) map[string]string {
	if of.PkgPath() == "" {
		return nil
	}
	if parsed[of.PkgPath()] == nil {
		parsed[of.PkgPath()] = readDeprecations(of.PkgPath())
	}
	return parsed[of.PkgPath()][of.Name()]
}

func readDeprecations(pkg string) map[string]map[string]string {
	types := map[string]map[string]string{}
	folder := packageFolder(pkg)
	sources, err := filepath.Glob(filepath.Join(folder, "*.go"))
	check(err)
	for _, source := range sources {
		if strings.HasSuffix(source, "_test.go") {
			continue
		}
		text, err := os.ReadFile(source)
		check(err)
		file, err := parser.ParseFile(token.NewFileSet(), source, text, parser.ParseComments)
		check(err)
		ast.Inspect(file, func(node ast.Node) bool {
			spec, isType := node.(*ast.TypeSpec)
			if !isType {
				return true
			}
			fields, isStruct := spec.Type.(*ast.StructType)
			if !isStruct {
				return true
			}
			words := map[string]string{}
			for _, field := range fields.Fields.List {
				said := deprecation(field.Doc.Text())
				for _, name := range field.Names {
					if said != "" {
						words[name.Name] = said
					}
				}
			}
			types[spec.Name.Name] = words
			return true
		})
	}
	return types
}

// deprecation is what a field's comment says after "Deprecated:" (or the like),
// up to the end of the sentence or paragraph.
func deprecation(comment string) string {
	for _, line := range strings.Split(comment, "\n") {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(strings.ToLower(line), "deprecated") {
			continue
		}
		if match := dead.FindStringSubmatch(line); match != nil {
			if match[1] == "" {
				return "deprecated"
			}
			return match[1]
		}
	}
	return ""
}
