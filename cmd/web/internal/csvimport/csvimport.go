// Package csvimport reads a file of orders: from bytes to orders that the domain takes, and to what is wrong with the rest, line by line.
// It is pure: it must never open a file, look at a clock, or know of a store.
package csvimport

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"headway/domain"
	"headway/fault"
)

// The bounds of one import. A larger file is split: what was imported before is never imported twice.
const (
	MaxBytes     = 64 << 20       // for the reader of the file to hold; Parse takes what it is given
	MaxLines     = 200_000        // items
	maxTimeAhead = 24 * time.Hour // a date without a zone may be tomorrow somewhere
)

// noReason is the reason of an order that was cancelled before anybody asked for one; schema 1 events get the same.
const noReason = "not given"

// Header is the first line of a file, without a line end.
func Header() string { return strings.Join(columnNames[:], ",") }

// columnNames are the columns of the file. They may come in any order; each must be there.
var columnNames = [...]string{
	"order", "placed_at", "customer", "currency", "sku", "name", "quantity", "price", "status", "status_at", "reason",
}

const (
	colOrder = iota
	colPlacedAt
	colCustomer
	colCurrency
	colSKU
	colName
	colQuantity
	colPrice
	colStatus
	colStatusAt
	colReason
)

// Order is one order of a file, every value checked by the domain.
type Order struct {
	Create   domain.CreateOrder
	Lines    []int // the line of each item; the first is the order's own
	Status   domain.Status
	PlacedAt time.Time
	StatusAt time.Time // when it was confirmed or cancelled; zero if it was not
	Reason   string    // why it was cancelled
}

// LineError says what is wrong with one line. Line counts from 1, the header included, as an editor does; of a record with
// quoted line breaks it is the first line.
type LineError struct {
	Line   int    `json:"line"`
	Order  string `json:"order"` // empty if the line does not tell
	Field  string `json:"field"` // a column; empty if the line as a whole is wrong
	Reason string `json:"reason"`
}

// Parse reads a whole file. It gives the orders without a mistake, in the order of their first lines, and every mistake, in
// the order of lines. An order with a bad line is left out whole. What a further line of an order leaves empty it
// takes from the order's other lines; what it says differently is a mistake. Times without a zone are in zone.
func Parse(data []byte, zone *time.Location, now time.Time) ([]Order, []LineError) {
	p := parser{zone: zone, now: now, drafts: map[string]*draft{}}
	p.read(data)
	var orders []Order
	for _, d := range p.order {
		if o, ok := p.finish(d); ok {
			orders = append(orders, o)
		}
	}
	slices.SortStableFunc(p.bad, func(a, b LineError) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(columnIndex(a.Field), columnIndex(b.Field)))
	})
	return orders, p.bad
}

type parser struct {
	zone   *time.Location
	now    time.Time
	drafts map[string]*draft
	order  []*draft // by first line
	bad    []LineError
}

// draft is an order while its lines are being collected.
type draft struct {
	reference string
	rows      []itemRow
	bad       bool
	shared    [len(columnNames)]statement // what the lines say about the order as a whole
}

type statement struct {
	value string
	line  int
}

type itemRow struct {
	line  int
	cells [len(columnNames)]string // trimmed
}

func (p *parser) fail(d *draft, line, column int, format string, args ...any) {
	e := LineError{Line: line, Reason: fmt.Sprintf(format, args...)}
	if column >= 0 {
		e.Field = columnNames[column]
	}
	if d != nil {
		e.Order, d.bad = d.reference, true
	}
	p.bad = append(p.bad, e)
}

// whole refuses the file as a whole.
func (p *parser) whole(line int, format string, args ...any) {
	p.order = nil
	p.bad = []LineError{{Line: line, Reason: fmt.Sprintf(format, args...)}}
}

func (p *parser) read(data []byte) {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		p.whole(1, "The file is UTF-16. Save it as UTF-8.")
		return
	}
	records := csvRecords{rest: bytes.TrimPrefix(data, []byte("\ufeff"))}
	header, ok := records.next()
	if !ok {
		p.whole(1, "The file is empty.")
		return
	}
	columns, complaint := readHeader(header)
	if header.broken != "" || complaint != "" {
		p.whole(max(header.line, 1), "The first line must name the columns %s. %s",
			Header(), cmp.Or(complaint, header.broken))
		return
	}
	for n := 1; ; n++ {
		record, ok := records.next()
		if !ok {
			return
		}
		if n > MaxLines {
			p.whole(record.line, "A file can have at most %d lines. Split it; what is imported already is not imported twice.", MaxLines)
			return
		}
		p.add(record, columns)
	}
}

// readHeader tells which column each place holds, or complains.
func readHeader(r csvRecord) ([]int, string) {
	var columns []int
	for _, name := range r.fields {
		column := columnIndex(strings.ToLower(strings.TrimSpace(name)))
		switch {
		case column < 0:
			return nil, fmt.Sprintf("It has a column %q.", name)
		case slices.Contains(columns, column):
			return nil, fmt.Sprintf("It names %q twice.", name)
		}
		columns = append(columns, column)
	}
	for column, name := range columnNames {
		if !slices.Contains(columns, column) {
			return nil, fmt.Sprintf("It lacks %q.", name)
		}
	}
	return columns, ""
}

func columnIndex(name string) int { return slices.Index(columnNames[:], name) }

func (p *parser) add(r csvRecord, columns []int) {
	row := itemRow{line: r.line}
	empty := true
	for i, field := range r.fields {
		if i < len(columns) {
			row.cells[columns[i]] = cell(columns[i], field)
		}
		empty = empty && strings.TrimSpace(field) == ""
	}
	if empty && r.broken == "" && len(r.fields) > 1 {
		return // a row of commas, as spreadsheets leave behind
	}
	var d *draft
	if reference := row.cells[colOrder]; reference != "" {
		if d = p.drafts[reference]; d == nil {
			d = &draft{reference: reference}
			p.drafts[reference] = d
			p.order = append(p.order, d)
		}
	}
	switch {
	case r.broken != "":
		at := -1
		if len(r.fields) < len(columns) {
			at = columns[len(r.fields)]
		}
		p.fail(d, r.line, at, "%s", r.broken)
		return
	case len(r.fields) != len(columns):
		p.fail(d, r.line, -1, "The line has %d columns, not %d.", len(r.fields), len(columns))
		return
	case d == nil:
		p.fail(nil, r.line, colOrder, "The order's number is required.")
		return
	}
	for _, column := range []int{colPlacedAt, colCustomer, colCurrency, colStatus, colStatusAt, colReason} {
		said, value := &d.shared[column], row.cells[column]
		switch {
		case value == "" || value == said.value:
		case said.value == "":
			*said = statement{value, r.line}
		default:
			p.fail(d, r.line, column, "This line says %s, line %d says %s.", quoted(value), said.line, quoted(said.value))
		}
	}
	d.rows = append(d.rows, row)
}

// cell is a value as an order may have it: without spaces around it, and on one line, but for a reason, which may have more.
func cell(column int, s string) string {
	if column != colReason {
		s = strings.ReplaceAll(s, "\n", " ") // the reader of CSV has made CRLF a line feed
	}
	return strings.TrimSpace(s)
}

// finish turns a draft into an order, or says everything that is wrong with it.
func (p *parser) finish(d *draft) (Order, bool) {
	if len(d.rows) == 0 {
		return Order{}, false
	}
	first := d.rows[0].line
	lineOf := func(column int) int { return cmp.Or(d.shared[column].line, first) }
	value := func(column int) string { return d.shared[column].value }

	o := Order{Create: domain.CreateOrder{
		CustomerID: value(colCustomer), Currency: domain.Currency(value(colCurrency)), Reference: d.reference,
	}}
	o.PlacedAt = p.time(d, lineOf(colPlacedAt), colPlacedAt, value(colPlacedAt))
	p.status(d, &o, lineOf, value)
	for _, row := range d.rows {
		o.Lines = append(o.Lines, row.line)
		o.Create.Items = append(o.Create.Items, p.item(d, row, o.Create.Currency))
	}
	if invalid, ok := errors.AsType[*fault.Error](o.Create.Check()); ok {
		for _, f := range invalid.Fields {
			line, column := o.place(f.Field, lineOf)
			p.fail(d, line, column, "%s", f.Message)
		}
	}
	return o, !d.bad
}

// place finds the line and the column of a field of the create command.
func (o Order) place(field string, lineOf func(int) int) (line, column int) {
	switch field {
	case "customerId":
		return lineOf(colCustomer), colCustomer
	case "currency":
		return lineOf(colCurrency), colCurrency
	case "reference":
		return o.Lines[0], colOrder
	}
	if rest, ok := strings.CutPrefix(field, "items["); ok {
		if index, name, ok := strings.Cut(rest, "]."); ok {
			if i, err := strconv.Atoi(index); err == nil && i < len(o.Lines) {
				return o.Lines[i], columnIndex(name)
			}
		}
	}
	return o.Lines[min(len(o.Lines)-1, domain.MaxCommandItems)], -1 // too many items: the first that is too many
}

func (p *parser) status(d *draft, o *Order, lineOf func(int) int, value func(int) string) {
	o.Status = domain.Status(value(colStatus))
	if !slices.Contains(domain.Statuses(), o.Status) {
		p.fail(d, lineOf(colStatus), colStatus, "The status must be created, confirmed or cancelled, not %s.", quoted(value(colStatus)))
		return
	}
	if reason := value(colReason); o.Status == domain.Cancelled {
		o.Reason = cmp.Or(reason, noReason)
		if err := (domain.CancelOrder{Reason: o.Reason}).Check(); err != nil {
			p.fail(d, lineOf(colReason), colReason, "%s", fault.Sentence(err))
		}
	} else if reason != "" {
		p.fail(d, lineOf(colReason), colReason, "Only a cancelled order has a reason; this one is %s.", o.Status)
	}
	if o.Status == domain.Created {
		return
	}
	o.StatusAt = p.time(d, lineOf(colStatusAt), colStatusAt, value(colStatusAt))
	if !o.StatusAt.IsZero() && o.StatusAt.Before(o.PlacedAt) {
		p.fail(d, lineOf(colStatusAt), colStatusAt, "The order was %s before it was placed.", o.Status)
	}
}

// item reads one line. What it complains about here gets a harmless value, so that Check does not complain again.
func (p *parser) item(d *draft, row itemRow, currency domain.Currency) domain.Item {
	item := domain.Item{SKU: row.cells[colSKU], Name: row.cells[colName], Quantity: 1, Price: domain.Money{Currency: currency}}
	quantity, price := row.cells[colQuantity], row.cells[colPrice]
	n, err := strconv.ParseInt(quantity, 10, 64)
	switch {
	case err == nil:
		item.Quantity = n
	case quantity == "":
		p.fail(d, row.line, colQuantity, "A quantity is required.")
	default:
		p.fail(d, row.line, colQuantity, "The quantity must be a whole number from %d to %s, not %s.",
			domain.MinQuantity, fault.Number(domain.MaxQuantity), quoted(quantity))
	}
	switch {
	case price == "":
		p.fail(d, row.line, colPrice, "A price is required.")
	case currency.Known():
		money, err := domain.ParseMoney(price, currency)
		if err != nil {
			p.fail(d, row.line, colPrice, "%s", fault.Sentence(err))
			break
		}
		item.Price = money
	}
	return item
}

// layouts are the forms of a time; those without a zone are in the zone of the settings.
var layouts = [...]string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly}

func (p *parser) time(d *draft, line, column int, value string) time.Time {
	if value == "" {
		p.fail(d, line, column, "A time is required, such as 2025-03-01T09:30:00Z.")
		return time.Time{}
	}
	for _, layout := range layouts {
		t, err := time.ParseInLocation(layout, value, p.zone)
		switch {
		case err != nil:
			continue
		case t.Year() < 1900:
			p.fail(d, line, column, "%s is before 1900.", quoted(value))
		case t.After(p.now.Add(maxTimeAhead)):
			p.fail(d, line, column, "%s is in the future.", quoted(value))
		}
		return t.UTC()
	}
	p.fail(d, line, column, "%s is not a time such as 2025-03-01T09:30:00Z or 2025-03-01.", quoted(value))
	return time.Time{}
}

// quoted is a value of the file for a message: short, on one line, and harmless on a terminal.
func quoted(s string) string {
	const most = 60
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most]) + "…"
	}
	return strconv.Quote(s)
}

// csvRecord is one record, or the beginning of one that is broken.
type csvRecord struct {
	line   int
	fields []string // of a broken one: those before the mistake
	broken string   // a sentence
}

// csvRecords reads records one by one. After a broken one it goes on at the next line of text: a quote that is never
// closed costs its own line, not the rest of the file.
type csvRecords struct {
	rest   []byte // not given to reader yet, from its first byte on
	before int    // lines before rest
	reader *csv.Reader
}

// next is the next record, whole or broken; false at the end.
func (c *csvRecords) next() (csvRecord, bool) {
	if c.reader == nil {
		c.reader = csv.NewReader(bytes.NewReader(c.rest))
		c.reader.FieldsPerRecord = -1
	}
	start := c.reader.InputOffset()
	fields, err := c.reader.Read()
	if err == nil {
		line, _ := c.reader.FieldPos(0)
		return csvRecord{line: c.before + line, fields: fields}, true
	}
	broken, ok := errors.AsType[*csv.ParseError](err)
	if !ok {
		return csvRecord{}, false // a reader of bytes has no other error than the end
	}
	text := c.rest[start:]
	for len(text) > 0 && (text[0] == '\n' || bytes.HasPrefix(text, []byte("\r\n"))) { // empty lines before the record
		text = text[bytes.IndexByte(text, '\n')+1:]
	}
	if end := bytes.IndexByte(text, '\n'); end >= 0 {
		text = text[end+1:]
	} else {
		text = nil
	}
	record := csvRecord{line: c.before + broken.StartLine, fields: fields, broken: "A quote is missing or out of place."}
	c.rest, c.before, c.reader = text, record.line, nil
	return record, true
}
