package picture

import (
	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/schema"
)

// SourceTargets are the objects of the sample, before every stage, in the picture as it is
// decoded: turned by the file's orientation where they belong to the picture as stored. It is
// for people to look at; nil without targets.
func (d *Draw) SourceTargets() *schema.Targets {
	g := &d.targets
	if g.in == nil {
		return nil
	}
	out := &schema.Targets{Height: d.Source[0], Width: d.Source[1], Frame: schema.Displayed}
	turn := [6]float64{1, 0, 0, 0, 1, 0}
	if g.turned {
		turn = decode.Upright(g.orientation, d.Source[0], d.Source[1])
	}
	move := func(x, y float32) (float32, float32) {
		u, v := float64(x), float64(y)
		return float32(float64(turn[0]*u) + float64(turn[1]*v) + turn[2]), float32(float64(turn[3]*u) + float64(turn[4]*v) + turn[5])
	}
	for _, o := range g.in.Objects {
		x1, y1 := move(o.Box[0], o.Box[1])
		x2, y2 := move(o.Box[2], o.Box[3])
		o.Box = [4]float32{min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)}
		parts := o.Polygon
		o.Polygon = nil
		for _, part := range parts {
			ring := make([]float32, 0, len(part))
			for i := 0; i+1 < len(part); i += 2 {
				x, y := move(part[i], part[i+1])
				ring = append(ring, x, y)
			}
			o.Polygon = append(o.Polygon, ring)
		}
		points := o.Keypoints
		o.Keypoints = append([]float32(nil), points...)
		for k := 0; k+2 < len(points); k += 3 {
			if points[k+2] != 0 {
				o.Keypoints[k], o.Keypoints[k+1] = move(points[k], points[k+1])
			}
		}
		out.Objects = append(out.Objects, o)
	}
	return out
}

// SourceMask is the mask of the sample, before every stage, turned as SourceTargets are; nil
// without one.
func (m *Maker) SourceMask(d *Draw, spec *schema.TargetSpec) (*schema.Picture, error) {
	g := &d.targets
	if g.in == nil || g.in.Mask == nil {
		return nil, nil
	}
	f, err := openMask(g)
	if err != nil {
		return nil, err
	}
	values, err := m.maskValues(g, &f, spec, 0, f.Height)
	if err != nil {
		return nil, err
	}
	height, width := d.Source[0], d.Source[1]
	out := &schema.Picture{Height: height, Width: width, U8: make([]uint8, height*width)}
	if !g.turned {
		copy(out.U8, values)
		return out, nil
	}
	g.upright(d, values, f.Height, f.Width, out.U8)
	return out, nil
}
