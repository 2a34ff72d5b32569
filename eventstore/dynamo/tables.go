package dynamo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"headway/fault"
	"headway/internal/waiting"
)

// The names in the tables.
const (
	eventsSuffix    = "-events"
	headsSuffix     = "-heads"
	snapshotsSuffix = "-snapshots"

	typeIndex        = "eventType-timestamp-index"     // events of one type
	allIndex         = "shard-timestamp-index"         // events of every type, those that nobody knows included
	correlationIndex = "correlationId-timestamp-index" // events of one correlation id; sparse
	feedIndex        = "slice-movedAt-index"           // orders by their last move

	aggregateID      = "aggregateId"
	version          = "version"
	typeShard        = "eventTypeShard"
	correlationShard = "correlationShard"
	shardNumber      = "shard"
	storedOrder      = "storedOrder"
	slice            = "slice"
	movedAt          = "movedAt"
)

// Table is a table as it should be. Every table is billed on demand, has point-in-time recovery and is protected from deletion.
type Table struct {
	Name    string
	Hash    Key
	Sort    *Key // nil if there is none
	Indexes []Index
}

// Index is a global secondary index. It holds keys only, or also the attributes of Include.
type Index struct {
	Name       string
	Hash, Sort Key
	Include    []string
}

// Key is an attribute of a key: of the type S or N.
type Key struct{ Name, Type string }

// Tables is the layout, in the one place that says it. Indexes of events hold keys only: an append pays for each index, listings are
// rare and read the events themselves. The feed's index carries the version, which is all the feed tells.
func Tables(prefix string) []Table {
	sorted := Key{storedOrder, "S"}
	return []Table{
		{
			Name: prefix + eventsSuffix, Hash: Key{aggregateID, "S"}, Sort: &Key{version, "N"},
			Indexes: []Index{
				{Name: typeIndex, Hash: Key{typeShard, "S"}, Sort: sorted},
				{Name: allIndex, Hash: Key{shardNumber, "N"}, Sort: sorted},
				{Name: correlationIndex, Hash: Key{correlationShard, "S"}, Sort: sorted},
			},
		},
		{
			Name: prefix + headsSuffix, Hash: Key{aggregateID, "S"},
			Indexes: []Index{{Name: feedIndex, Hash: Key{slice, "N"}, Sort: Key{movedAt, "S"}, Include: []string{"head"}}},
		},
		{Name: prefix + snapshotsSuffix, Hash: Key{aggregateID, "S"}},
	}
}

// tablesTimeout is how long a table may take to become ready.
const tablesTimeout = 5 * time.Minute

// CreateTables makes the tables that are missing, waits until they can be used, and turns on what protects them. What is there already is
// left as it is: CheckTables tells how it differs. Running it twice is harmless.
func CreateTables(ctx context.Context, options Options) error {
	client, err := connect(ctx, options)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, tablesTimeout)
	defer cancel()
	for _, t := range Tables(options.Prefix) {
		_, err := client.CreateTable(ctx, t.creation())
		if _, exists := errors.AsType[*types.ResourceInUseException](err); err != nil && !exists {
			return tablesFailed(t, "made", err)
		}
	}
	for _, t := range Tables(options.Prefix) {
		waiter := dynamodb.NewTableExistsWaiter(client, func(o *dynamodb.TableExistsWaiterOptions) {
			o.MinDelay, o.MaxDelay = 100*time.Millisecond, 5*time.Second
		})
		if err := waiter.Wait(ctx, &dynamodb.DescribeTableInput{TableName: aws.String(t.Name)}, tablesTimeout); err != nil {
			return tablesFailed(t, "made", err)
		}
		if err := protect(ctx, client, t); err != nil {
			return tablesFailed(t, "protected", err)
		}
	}
	return nil
}

func tablesFailed(t Table, what string, err error) error {
	return fault.Unreachable(err, "The table %s could not be %s.", t.Name, what)
}

// protect turns on point-in-time recovery. It can only be asked for a moment after a table is made, and DynamoDB Local does not know it.
func protect(ctx context.Context, client *dynamodb.Client, t Table) error {
	on := &dynamodb.UpdateContinuousBackupsInput{
		TableName:                        aws.String(t.Name),
		PointInTimeRecoverySpecification: &types.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: aws.Bool(true)},
	}
	for attempt := 0; ; attempt++ {
		_, err := client.UpdateContinuousBackups(ctx, on)
		if _, early := errors.AsType[*types.ContinuousBackupsUnavailableException](err); !early {
			if unknownOperation(err) {
				return nil
			}
			return err
		}
		if err := waiting.Pause(ctx, backoff(attempt+4)); err != nil {
			return err
		}
	}
}

func unknownOperation(err error) bool {
	e, ok := errors.AsType[smithy.APIError](err)
	return ok && e.ErrorCode() == "UnknownOperationException"
}

func (t Table) creation() *dynamodb.CreateTableInput {
	in := &dynamodb.CreateTableInput{
		TableName: aws.String(t.Name), KeySchema: keySchema(t.Hash, t.Sort), BillingMode: types.BillingModePayPerRequest,
		DeletionProtectionEnabled: aws.Bool(true),
	}
	for _, k := range t.keys() {
		in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{
			AttributeName: aws.String(k.Name), AttributeType: types.ScalarAttributeType(k.Type),
		})
	}
	for _, i := range t.Indexes {
		projection := &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly}
		if len(i.Include) > 0 {
			projection = &types.Projection{ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: i.Include}
		}
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, types.GlobalSecondaryIndex{
			IndexName: aws.String(i.Name), KeySchema: keySchema(i.Hash, &i.Sort), Projection: projection,
		})
	}
	return in
}

// keys are the attributes that are part of a key, each once.
func (t Table) keys() []Key {
	keys := []Key{t.Hash}
	if t.Sort != nil {
		keys = append(keys, *t.Sort)
	}
	for _, i := range t.Indexes {
		for _, k := range []Key{i.Hash, i.Sort} {
			if !slices.Contains(keys, k) {
				keys = append(keys, k)
			}
		}
	}
	return keys
}

func keySchema(hash Key, sort *Key) []types.KeySchemaElement {
	schema := []types.KeySchemaElement{{AttributeName: aws.String(hash.Name), KeyType: types.KeyTypeHash}}
	if sort != nil {
		schema = append(schema, types.KeySchemaElement{AttributeName: aws.String(sort.Name), KeyType: types.KeyTypeRange})
	}
	return schema
}

// CheckTables lists, in sentences, how the tables differ from what they should be; none if they do not.
func CheckTables(ctx context.Context, options Options) ([]string, error) {
	client, err := connect(ctx, options)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, ReadTimeout)
	defer cancel()
	var all []string
	for _, want := range Tables(options.Prefix) {
		out, err := client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: aws.String(want.Name)})
		if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing {
			all = append(all, fmt.Sprintf("the table %s is missing", want.Name))
			continue
		}
		if err != nil {
			return nil, readFailed(ctx, err)
		}
		all = append(all, want.compare(out.Table)...)
		all = append(all, want.compareSafety(out.Table)...)
		backups, err := client.DescribeContinuousBackups(ctx, &dynamodb.DescribeContinuousBackupsInput{TableName: aws.String(want.Name)})
		switch {
		case unknownOperation(err):
		case err != nil:
			return nil, readFailed(ctx, err)
		case !recoverable(backups.ContinuousBackupsDescription):
			all = append(all, fmt.Sprintf("the table %s has no point-in-time recovery", want.Name))
		}
	}
	return all, nil
}

func recoverable(d *types.ContinuousBackupsDescription) bool {
	return d != nil && d.PointInTimeRecoveryDescription != nil &&
		d.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus == types.PointInTimeRecoveryStatusEnabled
}

// compare tells what would keep the store from working.
func (t Table) compare(got *types.TableDescription) []string {
	var all []string
	if got.TableStatus != types.TableStatusActive && got.TableStatus != types.TableStatusUpdating {
		all = append(all, fmt.Sprintf("the table %s is %s", t.Name, got.TableStatus))
	}
	attributes := map[string]string{}
	for _, a := range got.AttributeDefinitions {
		attributes[aws.ToString(a.AttributeName)] = string(a.AttributeType)
	}
	if !sameKeys(got.KeySchema, attributes, t.Hash, t.Sort) {
		all = append(all, fmt.Sprintf("the table %s has another key", t.Name))
	}
	for _, want := range t.Indexes {
		at := slices.IndexFunc(got.GlobalSecondaryIndexes, func(i types.GlobalSecondaryIndexDescription) bool {
			return aws.ToString(i.IndexName) == want.Name
		})
		if at < 0 {
			all = append(all, fmt.Sprintf("the table %s has no index %s", t.Name, want.Name))
			continue
		}
		index := got.GlobalSecondaryIndexes[at]
		if !sameKeys(index.KeySchema, attributes, want.Hash, &want.Sort) || !want.holds(index.Projection) {
			all = append(all, fmt.Sprintf("the index %s of the table %s has other attributes", want.Name, t.Name))
		}
		if index.IndexStatus != types.IndexStatusActive && index.IndexStatus != types.IndexStatusUpdating {
			all = append(all, fmt.Sprintf("the index %s of the table %s is %s", want.Name, t.Name, index.IndexStatus))
		}
	}
	return all
}

// compareSafety tells what the store would work without.
func (t Table) compareSafety(got *types.TableDescription) []string {
	var all []string
	if got.BillingModeSummary == nil || got.BillingModeSummary.BillingMode != types.BillingModePayPerRequest {
		all = append(all, fmt.Sprintf("the table %s is not billed on demand", t.Name))
	}
	if !aws.ToBool(got.DeletionProtectionEnabled) {
		all = append(all, fmt.Sprintf("the table %s is not protected from deletion", t.Name))
	}
	for _, index := range got.GlobalSecondaryIndexes {
		if !slices.ContainsFunc(t.Indexes, func(i Index) bool { return i.Name == aws.ToString(index.IndexName) }) {
			all = append(all, fmt.Sprintf("the table %s has an index %s that nobody reads", t.Name, aws.ToString(index.IndexName)))
		}
	}
	return all
}

// holds tells whether a projection has what is read from the index.
func (i Index) holds(p *types.Projection) bool {
	if p == nil || p.ProjectionType == types.ProjectionTypeAll {
		return p != nil
	}
	for _, name := range i.Include {
		if !slices.Contains(p.NonKeyAttributes, name) {
			return false
		}
	}
	return true
}

func sameKeys(got []types.KeySchemaElement, attributes map[string]string, hash Key, sort *Key) bool {
	want := keySchema(hash, sort)
	if len(got) != len(want) || attributes[hash.Name] != hash.Type || (sort != nil && attributes[sort.Name] != sort.Type) {
		return false
	}
	for i := range want {
		if aws.ToString(got[i].AttributeName) != aws.ToString(want[i].AttributeName) || got[i].KeyType != want[i].KeyType {
			return false
		}
	}
	return true
}
