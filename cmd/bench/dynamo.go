package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/uuid"

	"headway/domain"
	"headway/eventstore/dynamo"
)

// dynamoDB measures appends to DynamoDB beside a loop that has the SDK send the same transactions and does nothing else.
func (b *bench) dynamoDB(ctx context.Context) (err error) {
	if b.dynamo == "" {
		return missing("there is no DynamoDB: name a DynamoDB Local by -ddb URL or HEADWAY_TEST_DYNAMODB.")
	}
	connections := &http.Client{Timeout: dynamo.AttemptTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: dynamo.MaxConns}}
	client := dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(b.dynamo), HTTPClient: connections, DisableValidateResponseChecksum: true,
		Credentials: credentials.NewStaticCredentialsProvider("headway", "headway", ""),
	})
	w := &wire{client: connections}
	var stores []*dynamo.Store // ours, and one that makes the tables of the bare loop and says what to write there
	for range 2 {
		options := dynamo.Options{Prefix: "bench-" + uuid.NewString()[:13], Local: b.dynamo, Client: w}
		if err := dynamo.CreateTables(ctx, options); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, dropTables(context.WithoutCancel(ctx), client, options.Prefix)) }()
		s, err := dynamo.Open(ctx, options)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.Close()) }()
		stores = append(stores, s)
	}
	single, whole, err := recorded(ctx, stores[1], w)
	if err != nil {
		return err
	}
	warm := *b // the engine compiles itself while it is used
	warm.out = &figures{to: io.Discard}
	if err := warm.raceDynamo(ctx, stores[0], w, client, single, whole); err != nil {
		return err
	}
	return b.raceDynamo(ctx, stores[0], w, client, single, whole)
}

func (b *bench) raceDynamo(
	ctx context.Context, s *dynamo.Store, w *wire, client *dynamodb.Client, single []template, whole template,
) error {
	const bare = "raw/TransactWriteItems"
	for _, workers := range []int{1, 16} {
		var appends atomic.Int64
		count := func(do func(int) (int, error)) func(int) (int, error) {
			return func(worker int) (int, error) { appends.Add(1); return do(worker) }
		}
		before := w.requests.Load()
		if err := b.race(fmt.Sprint("ddb_append1_w", workers), workers,
			side{own, count(singly(ctx, s, workers))}, side{bare, sendSingly(ctx, client, single, workers)}); err != nil {
			return err
		}
		if err := b.race(fmt.Sprint("ddb_append4_w", workers), workers,
			side{own, count(wholly(ctx, s))}, side{bare, sendWholly(ctx, client, whole)}); err != nil {
			return err
		}
		b.out.say(own, fmt.Sprint("ddb_requests_w", workers), float64(w.requests.Load()-before)/float64(appends.Load()), "req/append")
	}
	return nil
}

// wire counts requests, and keeps the body of the newest when told to.
type wire struct {
	client   *http.Client
	requests atomic.Int64
	mu       sync.Mutex
	keep     bool
	body     []byte
}

func (w *wire) Do(r *http.Request) (*http.Response, error) {
	w.requests.Add(1)
	w.mu.Lock()
	if w.keep {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.mu.Unlock()
			return nil, err
		}
		w.body, r.Body = body, io.NopCloser(bytes.NewReader(body))
	}
	w.mu.Unlock()
	return w.client.Do(r) //nolint:gosec // the address is the operator's setting
}

// template is a transaction that the store sent, and the ids in it that the next one replaces.
type template struct {
	items          []types.TransactWriteItem
	order, command string
}

// recorded has the store append an order event by event, and one at once, and reads what it sent.
func recorded(ctx context.Context, s *dynamo.Store, w *wire) (single []template, whole template, err error) {
	w.keep = true
	defer func() { w.keep = false }()
	send := func(id domain.OrderID, expect int, events ...domain.Event) (template, error) {
		m := newCommand()
		m.CorrelationID, m.CommandHash = "bench", "hash"
		if err := appendTo(ctx, s, id, expect, m, events...); err != nil {
			return template{}, err
		}
		items, err := readTransaction(w.body)
		return template{items, string(id), m.CausationID}, err
	}
	id := newOrder()
	for expect, event := range life() {
		t, err := send(id, expect, event)
		if err != nil {
			return nil, template{}, err
		}
		single = append(single, t)
	}
	whole, err = send(newOrder(), 0, life()...)
	return single, whole, err
}

// wireItem is an item as a request has it.
type wireItem map[string]struct {
	S, N *string
	B    []byte
}

func (i wireItem) attributes() map[string]types.AttributeValue {
	if len(i) == 0 {
		return nil
	}
	all := map[string]types.AttributeValue{}
	for name, v := range i {
		switch {
		case v.S != nil:
			all[name] = &types.AttributeValueMemberS{Value: *v.S}
		case v.N != nil:
			all[name] = &types.AttributeValueMemberN{Value: *v.N}
		default:
			all[name] = &types.AttributeValueMemberB{Value: v.B}
		}
	}
	return all
}

func readTransaction(body []byte) ([]types.TransactWriteItem, error) {
	var sent struct {
		TransactItems []struct {
			Put struct {
				TableName, ConditionExpression      *string
				ReturnValuesOnConditionCheckFailure types.ReturnValuesOnConditionCheckFailure
				Item, ExpressionAttributeValues     wireItem
			}
		}
	}
	if err := json.Unmarshal(body, &sent); err != nil {
		return nil, err
	}
	var items []types.TransactWriteItem
	for _, i := range sent.TransactItems {
		items = append(items, types.TransactWriteItem{Put: &types.Put{
			TableName: i.Put.TableName, ConditionExpression: i.Put.ConditionExpression, Item: i.Put.Item.attributes(),
			ExpressionAttributeValues:           i.Put.ExpressionAttributeValues.attributes(),
			ReturnValuesOnConditionCheckFailure: i.Put.ReturnValuesOnConditionCheckFailure,
		}})
	}
	return items, nil
}

// send sends the transaction again, for another order and another command.
func (t template) send(ctx context.Context, client *dynamodb.Client, id string) error {
	ids := strings.NewReplacer(t.order, id, t.command, uuid.NewString())
	items := make([]types.TransactWriteItem, len(t.items))
	for n, i := range t.items {
		put := *i.Put
		put.Item = make(map[string]types.AttributeValue, len(i.Put.Item))
		for name, value := range i.Put.Item {
			if s, ok := value.(*types.AttributeValueMemberS); ok {
				value = &types.AttributeValueMemberS{Value: ids.Replace(s.Value)}
			}
			put.Item[name] = value
		}
		items[n].Put = &put
	}
	_, err := client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: items})
	return err
}

// sendSingly sends the recorded transactions of an order one after the other, for orders of each worker's own.
func sendSingly(ctx context.Context, client *dynamodb.Client, all []template, workers int) func(int) (int, error) {
	type order struct {
		id   string
		sent int
	}
	orders := make([]order, workers)
	return func(worker int) (int, error) {
		o := &orders[worker]
		if o.sent%len(all) == 0 {
			o.id = uuid.NewString()
		}
		o.sent++
		return 1, all[(o.sent-1)%len(all)].send(ctx, client, o.id)
	}
}

func sendWholly(ctx context.Context, client *dynamodb.Client, whole template) func(int) (int, error) {
	return func(int) (int, error) { return len(life()), whole.send(ctx, client, uuid.NewString()) }
}

// dropTables removes tables that are protected from that.
func dropTables(ctx context.Context, client *dynamodb.Client, prefix string) error {
	var errs []error
	for _, t := range dynamo.Tables(prefix) {
		_, err := client.UpdateTable(ctx, &dynamodb.UpdateTableInput{TableName: aws.String(t.Name), DeletionProtectionEnabled: aws.Bool(false)})
		_, dropErr := client.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: aws.String(t.Name)})
		if dropErr != nil {
			errs = append(errs, err, dropErr)
		}
	}
	return errors.Join(errs...)
}
