package dynamo

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"headway/eventstore"
)

func readTemplate(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("tables.yaml")
	must(t, err)
	return string(text)
}

// tables.yaml makes the very tables that `web tables create` does, with what protects them.
func TestTemplateHasTheTables(t *testing.T) {
	var want strings.Builder
	for _, table := range Tables("${Prefix}") {
		suffix := strings.TrimPrefix(table.Name, "${Prefix}-")
		writeTable(&want, strings.ToUpper(suffix[:1])+suffix[1:], table.creation())
	}
	_, resources, _ := strings.Cut(readTemplate(t), "\nResources:\n")
	got, _, _ := strings.Cut(resources, "  Policy:\n")
	if got != want.String() {
		t.Errorf("tables.yaml has\n%s\nand it should have\n%s", got, want.String())
	}
}

// writeTable is a table as CloudFormation spells it.
func writeTable(b *strings.Builder, name string, in *dynamodb.CreateTableInput) {
	fmt.Fprintf(b, "  %s:\n    Type: AWS::DynamoDB::Table\n    DeletionPolicy: Retain\n    UpdateReplacePolicy: Retain\n    Properties:\n", name)
	fmt.Fprintf(b, "      TableName: !Sub %q\n      BillingMode: %s\n      DeletionProtectionEnabled: %t\n",
		aws.ToString(in.TableName), in.BillingMode, aws.ToBool(in.DeletionProtectionEnabled))
	fmt.Fprint(b, "      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true }\n      AttributeDefinitions:\n")
	for _, a := range in.AttributeDefinitions {
		fmt.Fprintf(b, "        - { AttributeName: %s, AttributeType: %s }\n", aws.ToString(a.AttributeName), a.AttributeType)
	}
	writeKeys(b, "      ", in.KeySchema)
	if len(in.GlobalSecondaryIndexes) > 0 {
		fmt.Fprint(b, "      GlobalSecondaryIndexes:\n")
	}
	for _, i := range in.GlobalSecondaryIndexes {
		fmt.Fprintf(b, "        - IndexName: %s\n", aws.ToString(i.IndexName))
		writeKeys(b, "          ", i.KeySchema)
		fmt.Fprintf(b, "          Projection: { ProjectionType: %s", i.Projection.ProjectionType)
		if len(i.Projection.NonKeyAttributes) > 0 {
			fmt.Fprintf(b, ", NonKeyAttributes: [%s]", strings.Join(i.Projection.NonKeyAttributes, ", "))
		}
		fmt.Fprint(b, " }\n")
	}
	fmt.Fprint(b, "\n")
}

func writeKeys(b *strings.Builder, indent string, keys []types.KeySchemaElement) {
	fmt.Fprintf(b, "%sKeySchema:\n", indent)
	for _, k := range keys {
		fmt.Fprintf(b, "%s  - { AttributeName: %s, KeyType: %s }\n", indent, aws.ToString(k.AttributeName), k.KeyType)
	}
}

// The policy of tables.yaml grants what a store asks for, table by table, and nothing else: what is not granted cannot replace, change or
// delete an event.
func TestTemplateGrantsTheLeast(t *testing.T) {
	granted := map[string]bool{}
	statement := regexp.MustCompile(`(?s)- Sid: \w+\n(.*?)(?:\n {10}- Sid|\nOutputs)`)
	_, policy, _ := strings.Cut(readTemplate(t), "        Statement:\n")
	for {
		at := statement.FindStringSubmatchIndex(policy)
		if at == nil {
			break
		}
		body := policy[at[2]:at[3]]
		policy = policy[at[3]:]
		if !strings.Contains(body, "Effect: Allow") || strings.Contains(strings.Split(body, "Resource:")[0], "*") {
			t.Fatalf("a statement does not allow, or allows what it does not name:\n%s", body)
		}
		for _, action := range regexp.MustCompile(`dynamodb:([A-Z]\w+)[\],\s]`).FindAllStringSubmatch(strings.Split(body, "Resource:")[0], -1) {
			for _, arn := range regexp.MustCompile(`!(?:GetAtt|Sub) "?(?:\$\{)?(\w+)\.Arn(\}/index/\*)?`).FindAllStringSubmatch(body, -1) {
				granted[action[1]+" "+strings.ToLower(arn[1])+map[bool]string{true: " index"}[arn[2] != ""]] = true
			}
		}
		truth := strings.Contains(body, "Events") || strings.Contains(body, "Heads")
		if truth && strings.Contains(body, "PutItem") && !strings.Contains(body, "dynamodb:EnclosingOperation: TransactWriteItems") {
			t.Error("an item can be put outside of a transaction")
		}
	}
	asked := everythingAsked(t)
	for _, need := range slices.Sorted(maps.Keys(asked)) {
		if !granted[need] {
			t.Errorf("the policy does not grant %s", need)
		}
	}
	for _, grant := range slices.Sorted(maps.Keys(granted)) {
		if !asked[grant] {
			t.Errorf("the policy grants %s, which nobody asks for", grant)
		}
	}
}

// everythingAsked calls every method of a store, and gives the permissions that its requests need: "Query events index".
func everythingAsked(t *testing.T) map[string]bool {
	t.Helper()
	p := newPlace(t)
	w := &wire{}
	asked := map[string]bool{}
	var mu sync.Mutex
	w.change = func(operation, body, answer string) string {
		mu.Lock()
		defer mu.Unlock()
		for _, need := range permissions(t, operation, body, p.options.Prefix+"-") {
			asked[need] = true
		}
		return answer
	}
	options := p.options
	options.Client = w
	options.AuditEvery = 1 // always
	s := open(t, options)
	id, m := newStream(), newCommand()
	for range 2 { // the second is told its first result
		_, err := s.Append(t.Context(), id, 0, m, cancelled("a"), cancelled("b"))
		must(t, err)
	}
	for _, read := range []func(context.Context) error{
		func(ctx context.Context) error { _, err := s.Read(ctx, id, 0); return err },
		func(ctx context.Context) error { _, err := s.Heads(ctx, id); return err },
		func(ctx context.Context) error { _, err := s.LoadSnapshot(ctx, id); return err },
		func(ctx context.Context) error {
			return s.SaveSnapshot(ctx, eventstore.Snapshot{Stream: id, Version: 2, Data: []byte("x")}, 0)
		},
		func(ctx context.Context) error { _, _, _, err := s.Walk(ctx, order, "", 10); return err },
		func(ctx context.Context) error { _, _, err := s.ByType(ctx, order, "", "", 10); return err },
		func(ctx context.Context) error {
			_, _, err := s.ByType(ctx, order, "OrderCancelled", "", 10)
			return err
		},
		func(ctx context.Context) error {
			_, _, err := s.ByCorrelation(ctx, order, m.CorrelationID, "", 10)
			return err
		},
		func(ctx context.Context) error {
			_, cursor, err := s.Feed(ctx, order, eventstore.Whole, "", 10)
			must(t, err)
			_, _, err = s.Feed(ctx, order, eventstore.Whole, cursor, 10)
			return err
		},
	} {
		must(t, read(t.Context()))
	}
	return asked
}

// permissions are those that one request needs.
func permissions(t *testing.T, operation, body, prefix string) []string {
	t.Helper()
	var in struct {
		TableName     string
		IndexName     string
		RequestItems  map[string]json.RawMessage
		TransactItems []map[string]struct{ TableName string }
	}
	must(t, json.Unmarshal([]byte(body), &in))
	var all []string
	for table := range in.RequestItems {
		all = append(all, operation+" "+strings.TrimPrefix(table, prefix))
	}
	for _, i := range in.TransactItems {
		for action, on := range i {
			all = append(all, action+"Item "+strings.TrimPrefix(on.TableName, prefix))
		}
	}
	if in.TableName != "" {
		need := operation + " " + strings.TrimPrefix(in.TableName, prefix)
		if in.IndexName != "" {
			need += " index"
		}
		all = append(all, need)
	}
	return all
}
