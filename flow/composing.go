package flow

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/flow/internal/picture"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// composer makes a picture of itself and of its donors, and returns what its params say of them, beside
// who they are.
type composer func(params stages.Params, own made, donors []made) (text string, err error)

// made is a picture that is there, with all that belongs to it.
type made struct {
	meta    *schema.Meta
	picture *schema.Picture
	mask    []uint8         // nil: none
	fates   *[]picture.Fate // of its objects
}

// madeIn is a row of a draft.
func madeIn(draft *schema.Draft, row int, spec *schema.TargetSpec, fates *[]picture.Fate) made {
	m := made{meta: draft.Meta(row), picture: draft.Slot(row), fates: fates}
	if spec.HasMask() {
		m.mask = draft.Mask(row)
	}
	return m
}

// tiling is a Tiler in its place.
type tiling struct {
	stage     stages.Tiler
	spec      *schema.TargetSpec
	rules     *picture.Rules
	keepEmpty bool // rows without objects stay
}

// compose makes a picture of parts of itself and of others. Where no object would be left and
// such rows aren't kept, it stays as it is.
func (c *tiling) compose(params stages.Params, own made, donors []made) (text string, err error) {
	height, width := own.picture.Height, own.picture.Width
	tiles := c.stage.Tiles(params, height, width)
	if len(tiles) != 1+len(donors) {
		return "", fmt.Errorf("it has %d tiles of %d pictures", len(tiles), 1+len(donors))
	}
	all := append([]made{own}, donors...)
	if c.spec.Objects() {
		targets := &schema.Targets{Height: height, Width: width, Frame: schema.Displayed}
		var fates []picture.Fate
		for i, t := range tiles {
			objects, later := c.rules.Moved(all[i].meta.Targets, shown(t, height, width), height, width)
			targets.Objects = append(targets.Objects, objects...)
			fates = append(fates, picture.Then(*all[i].fates, later)...)
		}
		if len(targets.Objects) == 0 && !c.keepEmpty {
			return "", nil
		}
		own.meta.Targets, *own.fates = targets, fates
	}
	before := *own.picture // its parts may overlap
	before.U8, before.F32 = slices.Clone(before.U8), slices.Clone(before.F32)
	all[0].picture, all[0].mask = &before, slices.Clone(own.mask)
	for i, t := range tiles {
		from := all[i]
		copyTile(own.picture.U8, from.picture.U8, own.picture, t)
		copyTile(own.picture.F32, from.picture.F32, own.picture, t)
		copyTile(own.mask, from.mask, &schema.Picture{Height: height, Width: width, Layout: schema.HWC}, t)
	}
	return "", nil
}

// shown is a tile as a transform of its picture.
func shown(t stages.Tile, height, width int) *stages.Transform {
	return &stages.Transform{
		Matrix: stages.Translation(float64(t.From.X-t.Part.Min.X), float64(t.From.Y-t.Part.Min.Y)),
		Height: height, Width: width, Filter: stages.Nearest, Inset: t.Part,
	}
}

// copyTile copies the pixels of a tile.
func copyTile[T uint8 | float32](to, from []T, size *schema.Picture, t stages.Tile) {
	if len(to) == 0 || t.Part.Empty() {
		return
	}
	planes, each := 1, len(to)/(size.Height*size.Width)
	if size.Layout == schema.CHW {
		planes, each = each, 1
	}
	for plane := range planes {
		for y := range t.Part.Dy() {
			out := (plane*size.Height+t.Part.Min.Y+y)*size.Width + t.Part.Min.X
			in := (plane*size.Height+t.From.Y+y)*size.Width + t.From.X
			copy(to[out*each:(out+t.Part.Dx())*each], from[in*each:])
		}
	}
}

// donorsText is what the params of a row say of its donors: "donors":[{"donor":..,"drawn":..}].
func donorsText(donors []made) (string, error) {
	list := make([]string, len(donors))
	for i, d := range donors {
		var err error
		if list[i], err = donorText(d.meta); err != nil {
			return "", err
		}
		list[i] = "{" + list[i] + "}"
	}
	return `"donors":[` + strings.Join(list, ",") + "]", nil
}

// donorText is what they say of one: its key, and what was drawn for it.
func donorText(donor *schema.Meta) (string, error) {
	key, err := json.Marshal(donor.Key)
	return fmt.Sprintf(`"donor":%s,"drawn":%s`, key, donor.Params), err
}
