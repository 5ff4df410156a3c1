package pipefile

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/sluicedata/sluice/internal/yamlsafe"
)

// maxFile and maxDepth protect the parser below, which is recursive, from files that
// are no pipelines.
const (
	maxFile  = 1 << 18
	maxDepth = 100
)

// parseYAML turns text into nodes. It returns nil, after reporting why, if there is
// nothing to continue with.
func (m *mistakes) parseYAML(data []byte) *node {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if len(data) > maxFile {
		m.add(place{}, "%d bytes are too many for a pipeline file (at most %d): is this one?", len(data), maxFile)
		return nil
	}
	if at, ok := notText(data); ok {
		m.add(at, "this is not UTF-8 text: is it a pipeline file?")
		return nil
	}
	if line, column, ok := yamlsafe.TooDeep(data, maxDepth); ok {
		m.add(place{line, column}, "values are nested more than %d deep", maxDepth)
		return nil
	}
	file, err := parse(data)
	if err != nil {
		m.syntax(err)
		return nil
	}
	return m.document(file)
}

// parse recovers from panics of the YAML library, on input that is far from YAML.
func parse(data []byte) (file *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("this is not YAML")
		}
	}()
	// Duplicate keys are allowed here, to be reported along with everything else.
	return parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
}

func (m *mistakes) syntax(err error) {
	at, msg := place{}, err.Error()
	var syntax *yaml.SyntaxError
	if errors.As(err, &syntax) {
		at, msg = where(syntax.Token), syntax.Message
	}
	if strings.Contains(msg, "'\t'") {
		msg = "a tab indents this line, which YAML forbids: use spaces"
	}
	m.add(at, "not valid YAML: %s", msg)
}

// document finds the one document of a file.
func (m *mistakes) document(file *ast.File) *node {
	var root ast.Node
	for _, doc := range file.Docs {
		body := doc.Body
		if _, directive := body.(*ast.DirectiveNode); directive || body == nil {
			continue
		}
		if root != nil {
			m.add(startOf(body), "a second YAML document begins here; a file holds one pipeline")
			break
		}
		root = body
	}
	if root == nil {
		m.add(place{}, "the file is empty: a pipeline needs version, source and stages")
		return nil
	}
	return m.node(root, 0)
}

// node converts what the library parsed. Pipeline files are plain data: references to
// other places (anchors, aliases, merge keys) and instructions on how to read a value
// (tags) are refused, so that a stage says what it does where it stands.
func (m *mistakes) node(n ast.Node, depth int) *node {
	if n == nil {
		return &node{}
	}
	at := startOf(n)
	if depth > maxDepth {
		m.add(at, "values are nested more than %d deep", maxDepth)
		return &node{place: at}
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		return m.mapping(n.Values, at, depth)
	case *ast.MappingValueNode:
		return m.mapping([]*ast.MappingValueNode{n}, at, depth)
	case *ast.SequenceNode:
		out := &node{place: at, kind: listKind}
		for _, item := range n.Values {
			out.items = append(out.items, m.node(item, depth+1))
		}
		return out
	case *ast.LiteralNode:
		return &node{place: at, scalar: n.Value.Value}
	case *ast.StringNode:
		if tk := n.GetToken(); tk.Type == token.SingleQuoteType || tk.Type == token.DoubleQuoteType {
			return &node{place: at, scalar: n.Value}
		}
		return m.resolve(at, n.Value)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return m.resolve(at, n.GetToken().Value)
	case *ast.NullNode:
		return &node{place: at}
	case *ast.AnchorNode:
		m.add(at, "anchors (&name) are not supported in pipeline files: remove it, and write the value where it is used")
		return m.node(n.Value, depth+1)
	case *ast.TagNode:
		m.add(at, "tags (%s) are not supported in pipeline files: remove it", n.GetToken().Value)
		return m.node(n.Value, depth+1)
	case *ast.AliasNode:
		m.add(at, "aliases (*name) are not supported in pipeline files: write out the value")
	default:
		m.add(at, "%s is not supported in pipeline files: use maps, lists, text, numbers, true and false", n.Type())
	}
	return &node{place: at, kind: refused}
}

func (m *mistakes) mapping(values []*ast.MappingValueNode, at place, depth int) *node {
	out := &node{place: at, kind: mapKind}
	lines := map[string]int{}
	for _, v := range values {
		key, ok := m.key(v.Key)
		if !ok {
			continue
		}
		key.value = m.node(v.Value, depth+1)
		if first, twice := lines[key.key]; twice {
			m.add(key.place, "duplicate key %q: it is on line %d already", key.key, first)
			continue
		}
		lines[key.key] = key.line
		out.entries = append(out.entries, key)
	}
	return out
}

func (m *mistakes) key(n ast.MapKeyNode) (entry, bool) {
	at := where(n.GetToken())
	switch k := n.(type) {
	case *ast.StringNode:
		return entry{place: at, key: k.Value}, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode, *ast.InfinityNode, *ast.NanNode:
		return entry{place: at, key: n.GetToken().Value}, true
	case *ast.MergeKeyNode:
		m.add(at, "merge keys (<<) are not supported in pipeline files: write out the options")
	default:
		m.add(at, "a key must be a word")
	}
	return entry{}, false
}

// startOf is where a value begins: the library says that a block map begins at its
// first colon.
func startOf(n ast.Node) place {
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return where(n.Values[0].Key.GetToken())
		}
	case *ast.MappingValueNode:
		return where(n.Key.GetToken())
	}
	return where(n.GetToken())
}

func where(tk *token.Token) place {
	if tk == nil || tk.Position == nil {
		return place{}
	}
	return place{tk.Position.Line, tk.Position.Column}
}

// notText finds the first byte that is not UTF-8, or a control character.
func notText(data []byte) (place, bool) {
	at := place{1, 1}
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 || r < ' ' && r != '\t' && r != '\n' && r != '\r' {
			return at, true
		}
		at.column++
		if r == '\n' {
			at = place{at.line + 1, 1}
		}
		i += size
	}
	return place{}, false
}
