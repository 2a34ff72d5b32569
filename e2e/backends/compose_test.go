package backends_test

import (
	"os"
	"regexp"
	"testing"

	"headway/e2e/backends"
)

// compose.yaml runs the versions that the tests run.
func TestComposeRunsTheSameVersions(t *testing.T) {
	text, err := os.ReadFile("../../compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for image, version := range map[string]string{
		"amazon/dynamodb-local": backends.DynamoDBVersion, "docker.elastic.co/elasticsearch/elasticsearch": backends.ElasticsearchVersion,
	} {
		found := regexp.MustCompile(`image: ` + regexp.QuoteMeta(image) + `:(\S+)`).FindStringSubmatch(string(text))
		if found == nil || found[1] != version {
			t.Errorf("compose.yaml runs %v, the tests run %s", found, version)
		}
	}
}
