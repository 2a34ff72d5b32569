package views

import (
	"math"
	"strings"
	"time"

	"github.com/a-h/templ"

	"headway/domain"
	"headway/projections"
)

// when prints a time in the zone, with its zone and milliseconds on hover; the script writes it in the reader's own zone.
func when(t time.Time, zone *time.Location, shape string) templ.Component {
	var b markup
	b.when(t, zone, shape)
	return b
}

func (b *markup) when(t time.Time, zone *time.Location, shape string) {
	if t.IsZero() {
		b.put(`<span class="none">not yet</span>`)
		return
	}
	local := in(t, zone)
	b.add(`<time datetime="`, rfc3339(t))
	b.add(`" data-local="`, localShape(shape))
	b.add(`" title="`, local.Format(shapeExact))
	b.add(`">`, local.Format(shape))
	b.put(`</time>`)
}

// stamp is drawn here on the server and by stamp.js in the browser: the icon is the state's, in the style sheet.
func stamp(projection string, s projections.Stamp) templ.Component {
	var b markup
	b.stamp(projection, s)
	return b
}

func (b *markup) stamp(projection string, s projections.Stamp) {
	b.add(`<span class="stamp" data-stamp data-state="`, stampState(s))
	b.add(`" data-projection="`, projection)
	if s.Behind.Age > 0 {
		b.add(`" data-since-ms="`, sinceMS(s))
	}
	b.add(`" title="`, stampTitle(projection, s))
	b.put(`">`)
	if s.State == projections.StampCurrent && s.Version > 0 {
		b.add(`<span class="visually-hidden">`, projections.StampWording().CurrentAt)
		b.put(`</span> `)
	}
	b.add("", StampWords(s))
	b.put(`</span>`)
}

// status is a word and a shape; the shape is in the style sheet.
func status(s domain.Status) templ.Component {
	var b markup
	b.status(s)
	return b
}

func (b *markup) status(s domain.Status) {
	if s == "" {
		b.put(`<span class="none">not known</span>`)
		return
	}
	b.add(`<span class="status" data-status="`, string(s))
	b.add(`">`, string(s))
	b.put(`</span>`)
}

// amounts are sums of several currencies, one below the other.
func amounts(all []domain.Money) templ.Component {
	var b markup
	b.amounts(all)
	return b
}

func (b *markup) amounts(all []domain.Money) {
	if len(all) == 0 {
		b.put(`<span class="none">none</span> `)
	}
	for _, m := range all {
		b.put(`<span class="amount">`)
		b.sum(m)
		b.put(`</span>`)
	}
}

// amount is money as a part of a page.
func amount(m domain.Money) templ.Component {
	var b markup
	b.amount(m.String())
	return b
}

// usualAmount is how long an amount may be to have its place in one line: "999,999,999.99 EUR". A longer one may be broken between
// thousands.
const usualAmount = 18

func (b *markup) amount(words string) {
	if len(words) <= usualAmount {
		b.add("", words)
		return
	}
	b.put(`<span class="long">`)
	for i, group := range strings.SplitAfter(words, ",") {
		if i > 0 {
			b.put(`<wbr>`)
		}
		b.add("", group)
	}
	b.put(`</span>`)
}

// sum is a sum of many orders. The largest number stands for every sum that is no less, so it is a lower bound.
func sum(m domain.Money) templ.Component {
	var b markup
	b.sum(m)
	return b
}

func (b *markup) sum(m domain.Money) {
	words := m.String()
	if m.Minor == math.MaxInt64 {
		words = "at least " + words
	}
	b.amount(words)
}
