package pipefile

import (
	"github.com/sluicedata/sluice/internal/options"
)

// node is a value in the file: a scalar, a list or a map.
type node struct {
	place
	kind    kind
	scalar  any // nil, bool, int64, uint64, float64 or string
	items   []*node
	entries []entry // in the order of the file, each key once
}

type kind int

const (
	scalarKind kind = iota
	listKind
	mapKind
	refused // an error was given for it: nothing more is to be said
)

// entry is a key of a map and its value; the place is the key's.
type entry struct {
	place
	key   string
	value *node
}

// empty reports that there is no value: `decode:`.
func (n *node) empty() bool { return n.kind == scalarKind && n.scalar == nil }

// valid reports that no part of the node was refused.
func (n *node) valid() bool {
	for _, item := range n.items {
		if !item.valid() {
			return false
		}
	}
	for _, e := range n.entries {
		if !e.value.valid() {
			return false
		}
	}
	return n.kind != refused
}

// plain is the node as package options takes it.
func (n *node) plain() any {
	switch n.kind {
	case listKind:
		list := make([]any, len(n.items))
		for i, item := range n.items {
			list[i] = item.plain()
		}
		return list
	case mapKind:
		m := make(map[string]any, len(n.entries))
		for _, e := range n.entries {
			m[e.key] = e.value.plain()
		}
		return m
	}
	return n.scalar
}

// have names the node in an error.
func (n *node) have() string { return options.Have(n.plain()) }
