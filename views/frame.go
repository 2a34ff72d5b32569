package views

import "time"

// Nav names an item of the rail.
type Nav string

const (
	NavNone        Nav = ""
	NavOverview    Nav = "overview"
	NavOrders      Nav = "orders"
	NavCustomers   Nav = "customers"
	NavProducts    Nav = "products"
	NavEvents      Nav = "events"
	NavProjections Nav = "projections"
)

// Frame is what surrounds every page: the rail, the top bar, and what the scripts need to follow the page.
type Frame struct {
	Title string // of the document, without "Headway"
	Nav   Nav    // the rail item this page belongs to
	Path  string // of this page with its query: where the small forms of the top bar come back to
	Home  string // of the answer to a POST: where a GET shows the form it came from; Path is the same

	Build string   // of the running program
	Seq   string   // the hub's sequence, taken before the page's first read
	Watch []string // what live.js subscribes to, such as "orders" or "order:ID"; empty means no socket

	Person    string   // who is asking
	Demo      bool     // shows the banner and the choice of DemoStaff
	DemoStaff []string // POST /demo/staff with staff=NAME and back=PATH

	Theme   string // "light", "dark", or empty for auto: POST /theme with theme=NAME and back=PATH
	Query   string // in the search box of the top bar: GET /orders?q=
	Headway []Bar  // one for each projection

	Assets Assets
	Zone   *time.Location // of every time on the page; nil is UTC
}

// Assets are the URLs of the static files, hashes included.
type Assets struct {
	Styles  []string
	Scripts []string // ES modules, in order
	Icon    string   // SVG
}

// Bar is one line of the headway bar: a projection's position against the head of the log.
type Bar struct {
	Projection string
	Share      float64 // of the log that it has applied, 0 to 1; anything else is drawn as the nearer end
	Stamp      Stamp
}

// Link is a place to go.
type Link struct {
	Label string
	Href  string
}
