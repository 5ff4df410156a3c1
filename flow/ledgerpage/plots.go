package ledgerpage

import (
	"fmt"
	"math"
	"strings"
)

// bar is a class in the plot of bars.
type bar struct {
	Class, Short                string // the name, and as much of it as there is room for
	Y                           int
	Samples, Quota, Delivered   int64
	Before, Planned, After, New float64 // widths: samples, quota, delivered, distinct
	Times                       string  // delivered over samples
}

// The sizes of the plots, in pixels.
const (
	barHeight  = 24
	barWidth   = 330
	plotWidth  = 420
	plotHeight = 180
	plotLeft   = 52
	plotBottom = 26
	plotTop    = 10
	plotRight  = 12
)

// colors of the curves.
var colors = []string{"#2f7ed8", "#d3582f", "#3c9d5d", "#9b59b6", "#d39b22", "#1fa7a7", "#c2468e", "#7a8793"}

// plot is curves over epochs.
type plot struct {
	Title         string
	Curves        []curve
	Marks         []mark // at the left
	First, Last   string // at the bottom
	Width, Height int
}

type curve struct {
	Name, Color, Points string
	Dots                [][2]float64
}

type mark struct {
	Y    float64
	Text string
}

// series is a curve's values; NaN: none in this epoch.
type series struct {
	name   string
	values []float64
}

// newPlot draws curves from 0, at the middles of spans of epochs.
func newPlot(title string, spans [][2]int, list []series) *plot {
	top := 0.0
	for _, s := range list {
		for _, v := range s.values {
			if !math.IsNaN(v) {
				top = max(top, v)
			}
		}
	}
	if top == 0 || len(spans) < 2 {
		return nil
	}
	top = round(top)
	p := &plot{Title: title, Width: plotWidth, Height: plotHeight, First: spanText(spans[0]), Last: spanText(spans[len(spans)-1])}
	y := func(v float64) float64 { return plotTop + (plotHeight-plotTop-plotBottom)*(1-v/top) }
	for i := range 3 {
		v := top * float64(i) / 2
		p.Marks = append(p.Marks, mark{y(v), fmt.Sprintf("%.4g", v)})
	}
	for n, s := range list {
		c := curve{Name: s.name, Color: colors[n%len(colors)]}
		var points []string
		for i, v := range s.values {
			if math.IsNaN(v) {
				continue
			}
			x := plotLeft + (plotWidth-plotLeft-plotRight)*float64(i)/float64(len(spans)-1)
			points = append(points, fmt.Sprintf("%.1f,%.1f", x, y(v)))
			if len(spans) <= 40 {
				c.Dots = append(c.Dots, [2]float64{x, y(v)})
			}
		}
		c.Points = strings.Join(points, " ")
		p.Curves = append(p.Curves, c)
	}
	return p
}

// round is the next of 1, 2, 4, 5, 6, 8 times a power of ten.
func round(v float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 4, 5, 6, 8} {
		if f*unit >= v*(1-1e-12) {
			return f * unit
		}
	}
	return 10 * unit
}

func spanText(s [2]int) string {
	if s[1] == s[0]+1 {
		return fmt.Sprint(s[0])
	}
	return fmt.Sprintf("%d-%d", s[0], s[1]-1)
}
