package dynamo

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/uuid"

	"headway/eventstore"
	"headway/eventstore/storetest"
	"headway/orders/orderstest"
)

// order is the category of the tests' streams.
const order = eventstore.FirstCategory

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Place { return newPlace(t) })
}

func TestOrders(t *testing.T) {
	orderstest.Run(t, func(t *testing.T) storetest.Place { return newPlace(t) })
}

// engine is the URL of the DynamoDB Local that the tests use.
func engine(tb testing.TB) string {
	tb.Helper()
	url := os.Getenv("HEADWAY_TEST_DYNAMODB")
	if url == "" {
		tb.Fatal("This test needs DynamoDB Local: `make test` starts it, or `go run ./e2e/backends/run -- go test ./...`.")
	}
	return url
}

// place is a pair of tables of its own.
type place struct{ options Options }

func newPlace(tb testing.TB) *place {
	tb.Helper()
	p := &place{Options{Prefix: "test-" + uuid.NewString(), Local: engine(tb), Windows: quick()}}
	must(tb, CreateTables(tb.Context(), p.options))
	tb.Cleanup(func() { dropTables(tb, p.options) })
	return p
}

// quick are windows that a test can wait for.
func quick() Windows {
	return Windows{TipDelay: 20 * time.Millisecond, OverlapEvery: 100 * time.Millisecond, OverlapWindow: 5 * time.Second}
}

func (p *place) Open(t *testing.T, clock func() time.Time) storetest.Store {
	t.Helper()
	options := p.options
	if clock != nil { // it may stand still: then what is stored a few microseconds after it would never be TipDelay ago, and no pass be due
		options.Clock, options.TipDelay, options.OverlapEvery = clock, -time.Minute, -time.Second
	}
	return open(t, options)
}

func open(tb testing.TB, options Options) *Store {
	tb.Helper()
	s, err := Open(tb.Context(), options)
	must(tb, err)
	tb.Cleanup(func() { must(tb, s.Close()) })
	return s
}

// Plant puts items as another program would, in batches.
func (p *place) Plant(t *testing.T, records ...eventstore.Record) {
	t.Helper()
	client := p.client(t)
	puts := map[string][]types.WriteRequest{}
	newest := map[string]eventstore.Head{}
	put := func(table string, i item) {
		puts[table] = append(puts[table], types.WriteRequest{PutRequest: &types.PutRequest{Item: i}})
		if len(puts[table]) == 25 {
			write(t, client, table, puts[table])
			puts[table] = nil
		}
	}
	for _, r := range records {
		put(p.options.Prefix+eventsSuffix, eventItem(r, r.Version))
		newest[r.Stream.Key()] = eventstore.Head{Stream: r.Stream, Version: r.Version, At: r.StoredAt}
	}
	for _, h := range newest {
		put(p.options.Prefix+headsSuffix, headItem(h))
	}
	for table, rest := range puts {
		if len(rest) > 0 {
			write(t, client, table, rest)
		}
	}
}

// Copy makes other tables with the same items, as a restore does.
func (p *place) Copy(t *testing.T) storetest.Place {
	t.Helper()
	another, client := newPlace(t), p.client(t)
	from, to := Tables(p.options.Prefix), Tables(another.options.Prefix)
	for i := range from {
		for pages := dynamodb.NewScanPaginator(client, &dynamodb.ScanInput{TableName: aws.String(from[i].Name)}); pages.HasMorePages(); {
			page, err := pages.NextPage(t.Context())
			must(t, err)
			for chunk := range slices.Chunk(page.Items, 25) {
				var puts []types.WriteRequest
				for _, i := range chunk {
					puts = append(puts, types.WriteRequest{PutRequest: &types.PutRequest{Item: i}})
				}
				write(t, client, to[i].Name, puts)
			}
		}
	}
	return another
}

func write(tb testing.TB, client *dynamodb.Client, table string, puts []types.WriteRequest) {
	tb.Helper()
	for ask := map[string][]types.WriteRequest{table: puts}; len(ask) > 0; {
		out, err := client.BatchWriteItem(tb.Context(), &dynamodb.BatchWriteItemInput{RequestItems: ask})
		must(tb, err)
		ask = out.UnprocessedItems
	}
}

func (p *place) client(tb testing.TB) *dynamodb.Client {
	tb.Helper()
	client, err := connect(tb.Context(), p.options)
	must(tb, err)
	return client
}

// dropTables needs a context of its own: a test's has ended when it cleans up.
func dropTables(tb testing.TB, options Options) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), AppendTimeout)
	defer cancel()
	client, err := connect(ctx, options)
	must(tb, err)
	for _, table := range Tables(options.Prefix) {
		_, err := client.UpdateTable(ctx, &dynamodb.UpdateTableInput{TableName: aws.String(table.Name), DeletionProtectionEnabled: aws.Bool(false)})
		must(tb, err)
		_, err = client.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: aws.String(table.Name)})
		if err != nil && !strings.Contains(err.Error(), "ResourceNotFound") {
			tb.Error(err)
		}
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
