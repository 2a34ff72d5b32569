package elastic

import (
	"crypto/sha256"
	"encoding/base64"
	"math"
	"math/big"
	"slices"
	"time"

	"headway/domain"
	"headway/projections"
)

// amount is a total, whole and in the parts that are summed.
type amount struct {
	Total    int64           `json:"total"`
	Total0   int64           `json:"total0"`
	Total1   int64           `json:"total1"`
	Total2   int64           `json:"total2"`
	Currency domain.Currency `json:"currency"`
}

const partBits = 21

func amountOf(m domain.Money) amount {
	const mask = 1<<partBits - 1
	return amount{
		Total: m.Minor, Total0: m.Minor & mask, Total1: m.Minor >> partBits & mask, Total2: m.Minor >> (2 * partBits), Currency: m.Currency,
	}
}

func (a amount) money() domain.Money { return domain.Money{Minor: a.Total, Currency: a.Currency} }

// parts is the sums of the three parts, each of which is exact up to 2^53: that many bits has a sum of 2^32 documents.
type parts struct {
	Total0, Total1, Total2 struct {
		Value float64 `json:"value"`
	}
}

// sumParts asks for them; the path is of the object that has the amount, and a dot.
func sumParts(path string) object {
	return object{
		"total0": object{"sum": object{"field": path + "total0"}}, "total1": object{"sum": object{"field": path + "total1"}},
		"total2": object{"sum": object{"field": path + "total2"}},
	}
}

// minor is the sum, or the largest int64 if it does not fit.
func (p parts) minor() int64 {
	sum := big.NewInt(0)
	for _, part := range []float64{p.Total2.Value, p.Total1.Value, p.Total0.Value} {
		sum.Add(sum.Lsh(sum, partBits), big.NewInt(int64(part)))
	}
	if !sum.IsInt64() {
		return math.MaxInt64
	}
	return sum.Int64()
}

// sums is amounts by currency, as an aggregation answers.
type sums struct {
	Buckets []struct {
		Key domain.Currency `json:"key"`
		parts
	} `json:"buckets"`
}

// sumByCurrency asks for them. There are fewer currencies than it has room for.
func sumByCurrency(path string) object {
	return object{"terms": object{"field": path + "currency", "size": maxCurrencies}, "aggs": sumParts(path)}
}

func (s sums) money() []domain.Money {
	var all []domain.Money
	for _, b := range s.Buckets {
		all = projections.AddMoney(all, domain.Money{Minor: b.minor(), Currency: b.Key})
	}
	return all
}

func distinct(words []string) []string {
	slices.Sort(words)
	return slices.Compact(words)
}

func micros(t time.Time) int64 { return t.UnixMicro() }

func moment(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// moneyDoc is an amount as nothing asks for it.
type moneyDoc struct {
	Currency domain.Currency `json:"currency"`
	Minor    int64           `json:"minor"`
}

func moneyDocs(all []domain.Money) []moneyDoc {
	docs := make([]moneyDoc, len(all))
	for i, m := range all {
		docs[i] = moneyDoc{m.Currency, m.Minor}
	}
	return docs
}

func moneyOf(docs []moneyDoc) (all []domain.Money) {
	for _, d := range docs {
		all = append(all, domain.Money{Minor: d.Minor, Currency: d.Currency})
	}
	return all
}

// sumKey is the name of a sum's document: a key may be longer than the 512 bytes that the name of a document can have.
func sumKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
