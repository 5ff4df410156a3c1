package stages

import (
	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/schema"
)

// Perspective shows a uint8 picture of height x width x 3 as a plane seen from a
// random angle, keeping the size, as torchvision's RandomPerspective does: each corner
// moves inwards by whole pixels, uniform on 0 .. distortion * (side // 2) along each
// side, and the picture is stretched between the four. Outside them is the colour
// Fill, into which the edge is blended, as in rotate.
//
// The matrix is torchvision's: the corners are (0, 0) .. (w-1, h-1) in its coordinates,
// which have pixel centres at halves. It is solved in float64; torchvision 0.14 solves
// it in float32, to about 1/1000 of a pixel. With a distortion above 2/3 the corners
// may fold the picture, which torchvision shows inside out; here they are drawn again,
// up to ten times. A picture of a single row or column stays as it is. Draws: x and y
// of the top left, top right, bottom right, bottom left.
type Perspective struct {
	DistortionScale float64       `sluice:"distortion_scale,positive" default:"0.5" doc:"how far a corner may move: a share of half the side, 0..1"`
	Interpolation   Interpolation `sluice:"interpolation" default:"bilinear" doc:"how values between pixels are found"`
	Fill            Color         `sluice:"fill" doc:"colour outside the picture: a grey 0..255 or [r, g, b] (default 0: black)"`
	P               Probability   `sluice:"p,positive" default:"1" doc:"share of the draws that are changed; torchvision's own is 0.5"`
}

// PerspectiveParams is where the corners of the picture move to, x and y in pixels:
// torchvision's endpoints.
type PerspectiveParams struct {
	TopLeft     [2]int `json:"top_left"`
	TopRight    [2]int `json:"top_right"`
	BottomRight [2]int `json:"bottom_right"`
	BottomLeft  [2]int `json:"bottom_left"`
}

// Name is the stage's name in pipeline files.
func (Perspective) Name() string { return "perspective" }

// Version of the algorithm.
func (Perspective) Version() int { return 1 }

// Check reports impossible options.
func (s Perspective) Check() error {
	errs := []error{oneOf("interpolation", s.Interpolation), s.P.check("p")}
	if !(s.DistortionScale >= 0 && s.DistortionScale <= 1) {
		errs = append(errs, errorf("distortion_scale", "%g is not a share of half the side: give a number in (0, 1], such as 0.5", s.DistortionScale))
	}
	return errlist.Join(errs...)
}

// Draw draws the corners.
func (s Perspective) Draw(row *Row) (Params, error) {
	if s.P.skips(row.Rand) {
		return nil, nil
	}
	for range 10 {
		p := s.corners(row)
		if _, ok := p.transform(s, row.Height, row.Width); ok {
			return Recycle(row, p), nil
		}
	}
	return Recycle(row, unmoved(row.Height, row.Width)), nil
}

// corners is get_params of torchvision's RandomPerspective.
func (s Perspective) corners(row *Row) PerspectiveParams {
	share := s.DistortionScale
	if share == 0 {
		share = 0.5
	}
	right, bottom := row.Width-1, row.Height-1
	x := func() int { return row.Rand.IntN(int(float64(share*float64(row.Width/2))) + 1) }
	y := func() int { return row.Rand.IntN(int(float64(share*float64(row.Height/2))) + 1) }
	return PerspectiveParams{ // in the order in which they are written
		TopLeft:     [2]int{x(), y()},
		TopRight:    [2]int{right - x(), y()},
		BottomRight: [2]int{right - x(), bottom - y()},
		BottomLeft:  [2]int{x(), bottom - y()},
	}
}

// unmoved is the corners of a picture as they are.
func unmoved(height, width int) PerspectiveParams {
	right, bottom := width-1, height-1
	return PerspectiveParams{
		TopRight: [2]int{right, 0}, BottomRight: [2]int{right, bottom}, BottomLeft: [2]int{0, bottom},
	}
}

// Output is the input's type.
func (s Perspective) Output(in schema.Tensor) (schema.Tensor, error) {
	return in, errlist.Join(CheckWarpable(in), CheckFill(in, s.Fill))
}

// Warp is a projective transform, which is not merged with its neighbours.
func (s Perspective) Warp(params Params, height, width int) Transform {
	if t, ok := params.(*PerspectiveParams).transform(s, height, width); ok {
		return t
	}
	return AffineTransform(Identity(), height, width, s.Interpolation, s.Fill)
}

// transform moves the picture's corners to these; false where they fold it, or it
// has no area.
func (p PerspectiveParams) transform(s Perspective, height, width int) (Transform, bool) {
	var corners [4][2]float64
	for i, c := range [][2]int{p.TopLeft, p.TopRight, p.BottomRight, p.BottomLeft} {
		corners[i] = [2]float64{float64(c[0]), float64(c[1])}
	}
	return PerspectiveTransform(corners, height, width, s.Interpolation, s.Fill)
}
