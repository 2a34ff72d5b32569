// Package demo is a believable shop: a history of orders, always the same, and staff who go on with it while the console runs. It must
// never write into a store that holds orders of somebody else, nor do what the rules of the domain do not allow.
package demo

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"headway/cmd/web/internal/plan"
	"headway/domain"
)

// The history.
const (
	told        = 2_000 // orders
	days        = 90
	seed        = 0x4ead
	firstNumber = 10_001 // the number in the oldest order's reference
)

// The staff who write; the viewer never does.
const (
	operator  = "operator"
	operator2 = "operator2"
	admin     = "admin"
)

// customer buys in one currency, and some buy more often than others.
type customer struct {
	name     string
	currency domain.Currency
	weight   int
}

var customers = [...]customer{
	{"Bäckerei Grünwald", "EUR", 9}, {"Harbour Café", "GBP", 8}, {"Nordlys Interiør AS", "EUR", 3}, {"Café Zum Löwen", "EUR", 7},
	{"O'Brien & Sons", "GBP", 5}, {"Lisboa Azulejos Lda", "EUR", 4}, {"Pacific Roasters Inc", "USD", 9}, {"Brooklyn Tea Room", "USD", 6},
	{"東京茶房", "JPY", 5}, {"Kyoto Kissa", "JPY", 3}, {"La Petite Épicerie", "EUR", 6}, {"Trattoria da Nonna", "EUR", 5},
	{"The Copper Kettle", "GBP", 6}, {"Riverside Deli", "USD", 4}, {"Hotel Bellevue Zürich", "CHF", 4}, {"Konditorei Huber", "CHF", 3},
	{"Maison Dubois", "EUR", 3}, {"Fjällräven Kaffe", "EUR", 2}, {"Smith & Daughters", "GBP", 4}, {"Desert Bloom Coffee", "USD", 3},
	{"Ada Lovelace", "GBP", 1}, {"Grace Hopper", "USD", 1}, {"Mary Jackson", "USD", 1}, {"Hedy Lamarr", "EUR", 1},
	{"Osaka Beans KK", "JPY", 2}, {"Green Fork Catering", "USD", 5}, {"Café de Flore", "EUR", 2}, {"Old Mill Bakery", "GBP", 3},
	{"Sunrise Hostel", "EUR", 2}, {"Rösterei Altstadt", "CHF", 4},
}

// rate is the price in a currency's minor units for 10,000 cents of the list.
func rate(c domain.Currency) int64 {
	switch c {
	case "USD":
		return 10_800
	case "GBP":
		return 8_600
	case "CHF":
		return 9_500
	case "JPY":
		return 16_000
	}
	return 10_000 // EUR
}

type product struct {
	sku, name string
	cents     int64 // the list price in EUR
	most      int64 // pieces in an order
}

var products = [...]product{
	{"BEAN-ESP-1K", "Espresso beans, 1 kg", 2190, 24}, {"BEAN-FIL-1K", "Filter beans, 1 kg", 2390, 24},
	{"BEAN-DEC-500", "Decaf beans, 500 g", 1350, 12}, {"BEAN-ETH-250", "Ethiopia Guji, 250 g", 1190, 30},
	{"TEA-EARL-250", "Earl Grey, 250 g", 1290, 20}, {"TEA-SEN-100", "Sencha, 100 g", 1150, 20},
	{"TEA-CHAM-100", "Chamomile, 100 g", 690, 20}, {"TEA-DARJ-250", "Darjeeling first flush, 250 g", 2450, 10},
	{"CHOC-DRK-1K", "Drinking chocolate, 1 kg", 1790, 12}, {"OAT-6PK", "Oat milk, six cartons", 1320, 40},
	{"SYR-VAN-700", "Vanilla syrup, 700 ml", 890, 18}, {"SYR-HAZ-700", "Hazelnut syrup, 700 ml", 890, 18},
	{"SUG-STK-1000", "Sugar sticks, 1,000", 1450, 10}, {"CUP-240-50", "Paper cups 240 ml, 50", 590, 60},
	{"CUP-360-50", "Paper cups 360 ml, 50", 690, 60}, {"LID-80-50", "Lids 80 mm, 50", 390, 60},
	{"NAP-500", "Napkins, 500", 750, 30}, {"STIR-1000", "Wooden stirrers, 1,000", 620, 20},
	{"MUG-BLUE", "Stoneware mug, blue", 1250, 36}, {"MUG-SAND", "Stoneware mug, sand", 1250, 36},
	{"ESP-CUP-6", "Espresso cups, six", 2990, 8}, {"GLASS-LAT-6", "Latte glasses, six", 2490, 8},
	{"POT-TEA-1L", "Glass teapot, 1 l", 3490, 6}, {"FRP-1L", "French press, 1 l", 3990, 6},
	{"DRIP-V60", "Dripper, size 2", 1890, 6}, {"FILT-100", "Paper filters, 100", 490, 50},
	{"SCALE-1G", "Scale, 0.1 g", 5900, 3}, {"TAMP-58", "Tamper, 58 mm", 4900, 3},
	{"JUG-600", "Milk jug, 600 ml", 2190, 6}, {"GRIND-HND", "Hand grinder", 8900, 2},
	{"GRIND-64", "Grinder, 64 mm burrs", 64900, 1}, {"MACH-2G", "Espresso machine, two groups", 489000, 1},
	{"CLEAN-TAB", "Cleaning tablets, 100", 1690, 8}, {"DESC-1L", "Descaler, 1 l", 1190, 8},
	{"FILTW-XL", "Water filter XL", 8900, 3}, {"APRON-BLK", "Apron, black", 2450, 8},
	{"BOARD-A2", "Menu board, A2", 5400, 2}, {"TRAY-OAK", "Oak tray", 3200, 6},
	{"COOK-OAT-40", "Oat cookies, 40", 1980, 10}, {"BISC-ALM-200", "Almond biscuits, 200", 2640, 6},
}

var reasons = [...]string{
	"The customer ordered twice.", "The customer changed their mind.", "Out of stock until next month.", "The delivery would come too late.",
	"Wrong delivery address; ordered again.", "The price was agreed differently.", "The customer is closing for the season.",
	"Payment was refused.", "Test order.", "Ordered for the wrong branch.",
}

var notes = [...]string{
	"Ring twice; the door is round the back.", "They asked for the invoice by post.", "Wants a call before delivery.",
	"Goes out with the next order, to spare the freight.",
	"Asked whether the jars are recycled glass.", "A regular: add a sample of the new blend.",
}

// history is the demo's past: always the same orders, placed over the days before now. Its pace follows a working day
// that is under way whenever the demo is started.
func history(now time.Time) []plan.Plan {
	rng := rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // a story is not a secret
	ages := make([]time.Duration, told)
	for i := range ages {
		day := time.Duration(rng.IntN(days)) * 24 * time.Hour
		minutes := time.Duration(rng.IntN(300)+rng.IntN(300)) * time.Minute // a hump of ten hours, two thirds over by now
		ages[i] = day + minutes + time.Duration(rng.IntN(60_000))*time.Millisecond
	}
	slices.SortFunc(ages, func(a, b time.Duration) int { return cmp.Compare(b, a) })
	plans := make([]plan.Plan, told)
	for i, age := range ages {
		plans[i] = life(rng, referenceOf(i), now, age)
	}
	return plans
}

func referenceOf(index int) string { return fmt.Sprintf("H-%d", firstNumber+index) }

// life is one order, from its creation that long ago to whatever has happened to it since.
func life(rng *rand.Rand, reference string, now time.Time, age time.Duration) plan.Plan {
	create := createOrder(rng, reference)
	taker := actor(rng)
	l := plan.Plan{Name: reference, Steps: []plan.Step{{Command: create, At: now.Add(-age), User: taker}}}
	later := func(least, most time.Duration) bool { // moves on by something between; false if that is not yet
		age -= least + time.Duration(rng.Int64N(int64(most-least)))
		return age > 0
	}
	do := func(c domain.Command, user string) {
		l.Steps = append(l.Steps, plan.Step{Command: c, At: now.Add(-age), User: user})
	}

	if rng.IntN(100) < 22 {
		for range 1 + rng.IntN(3) {
			if !later(2*time.Minute, 90*time.Minute) {
				return l
			}
			do(domain.AddItem{Item: item(rng, create.Currency)}, taker)
		}
	}
	cancel := func() { do(domain.CancelOrder{Reason: reasons[rng.IntN(len(reasons))]}, actor(rng)) }
	switch fate := rng.IntN(100); {
	case fate < 3: // forgotten
	case fate < 9:
		if later(20*time.Minute, 60*time.Hour) {
			cancel()
		}
	default:
		if !later(15*time.Minute, 40*time.Hour) {
			return l
		}
		do(domain.ConfirmOrder{}, actor(rng))
		if fate < 13 && later(time.Hour, 100*time.Hour) {
			cancel()
		}
	}
	return l
}

func createOrder(rng *rand.Rand, reference string) domain.CreateOrder {
	by := buyer(rng)
	create := domain.CreateOrder{CustomerID: by.name, Currency: by.currency, Reference: reference}
	for range 1 + min(rng.IntN(4), rng.IntN(7)) {
		create.Items = append(create.Items, item(rng, by.currency))
	}
	return create
}

func buyer(rng *rand.Rand) customer {
	all := 0
	for _, c := range &customers {
		all += c.weight
	}
	at := rng.IntN(all)
	for _, c := range &customers {
		if at -= c.weight; at < 0 {
			return c
		}
	}
	return customers[0]
}

func item(rng *rand.Rand, currency domain.Currency) domain.Item {
	p := products[rng.IntN(len(products))]
	if p.most == 1 && rng.IntN(8) > 0 { // machines are bought less often than cups
		p = products[rng.IntN(len(products)/2)]
	}
	return domain.Item{
		SKU: p.sku, Name: p.name, Quantity: 1 + min(rng.Int64N(p.most), rng.Int64N(p.most)),
		Price: domain.Money{Minor: p.cents * rate(currency) / 10_000 / 10 * 10, Currency: currency},
	}
}

func actor(rng *rand.Rand) string {
	switch n := rng.IntN(100); {
	case n < 55:
		return operator
	case n < 92:
		return operator2
	}
	return admin
}
