package edge

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

//go:embed openapi.json
var openAPI []byte

// OpenAPI returns the document of the edge's own routes.
func OpenAPI() []byte { return openAPI }

// apiDocument is as much of an OpenAPI document as merging takes.
type apiDocument struct {
	OpenAPI    string                    `json:"openapi"`
	Info       any                       `json:"info"`
	Tags       []any                     `json:"tags,omitempty"`
	Paths      map[string]map[string]any `json:"paths"`
	Components map[string]map[string]any `json:"components,omitempty"`
}

// MergeOpenAPI makes one document of several; openapi and info are the
// first's. Two documents may not describe the same method of a path. Where two
// name different components alike, the later one is renamed with a number.
func MergeOpenAPI(docs ...[]byte) ([]byte, error) {
	if len(docs) == 0 {
		return nil, errors.New("merging OpenAPI documents: there is none")
	}
	merged := apiDocument{Paths: map[string]map[string]any{}, Components: map[string]map[string]any{}}
	for i, raw := range docs {
		var next apiDocument
		if err := json.Unmarshal(raw, &next); err != nil {
			return nil, fmt.Errorf("merging OpenAPI document %d: %w", i, err)
		}
		if i == 0 {
			merged.OpenAPI, merged.Info = next.OpenAPI, next.Info
		}
		merged.Tags = append(merged.Tags, next.Tags...)
		renamed := merged.renames(next)
		for kind, named := range next.Components {
			if merged.Components[kind] == nil {
				merged.Components[kind] = map[string]any{}
			}
			for name, c := range named {
				merged.Components[kind][last(renamed, kind, name)] = repoint(c, renamed)
			}
		}
		for path, operations := range next.Paths {
			if err := merged.addPath(path, operations, renamed); err != nil {
				return nil, fmt.Errorf("merging OpenAPI document %d: %w", i, err)
			}
		}
	}
	return json.Marshal(merged)
}

func (d *apiDocument) addPath(path string, operations map[string]any, renamed map[string]string) error {
	if d.Paths[path] == nil {
		d.Paths[path] = map[string]any{}
	}
	for method, operation := range operations {
		if _, twice := d.Paths[path][method]; twice {
			return fmt.Errorf("%s %s is described twice", strings.ToUpper(method), path)
		}
		d.Paths[path][method] = repoint(operation, renamed)
	}
	return nil
}

const componentRef = "#/components/"

// renames says which references of next must change: old pointer to new.
func (d *apiDocument) renames(next apiDocument) map[string]string {
	renamed := map[string]string{}
	for kind, named := range next.Components {
		for name, c := range named {
			free := name
			for n := 2; ; n++ {
				have, taken := d.Components[kind][free]
				if !taken || reflect.DeepEqual(have, c) {
					break
				}
				free = fmt.Sprintf("%s%d", name, n)
			}
			if free != name {
				renamed[componentRef+kind+"/"+name] = componentRef + kind + "/" + free
			}
		}
	}
	return renamed
}

// last returns the name under which a component is kept.
func last(renamed map[string]string, kind, name string) string {
	if to, ok := renamed[componentRef+kind+"/"+name]; ok {
		return to[strings.LastIndexByte(to, '/')+1:]
	}
	return name
}

// repoint returns a document in which renamed references are followed.
func repoint(node any, renamed map[string]string) any {
	switch n := node.(type) {
	case map[string]any:
		for k, v := range n {
			n[k] = repoint(v, renamed)
		}
	case []any:
		for i, v := range n {
			n[i] = repoint(v, renamed)
		}
	case string:
		if to, ok := renamed[n]; ok {
			return to
		}
	}
	return node
}
