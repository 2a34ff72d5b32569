// Made of projections.StampWording by: go test ./static -update
export default {
  "version": "v%s",
  "currentAt": "current at ",
  "behind": "behind",
  "event": "%s event behind",
  "events": "%s events behind",
  "heldAt": "held at version %s",
  "age": ", %s",
  "because": ": %s",
  "spans": [
    {
      "below": 1000,
      "unit": 1,
      "tenths": false,
      "words": "%s ms"
    },
    {
      "below": 10000,
      "unit": 1000,
      "tenths": true,
      "words": "%s s"
    },
    {
      "below": 120000,
      "unit": 1000,
      "tenths": false,
      "words": "%s s"
    },
    {
      "below": 7200000,
      "unit": 60000,
      "tenths": false,
      "words": "%s min"
    },
    {
      "below": 172800000,
      "unit": 3600000,
      "tenths": false,
      "words": "%s h"
    },
    {
      "below": 0,
      "unit": 86400000,
      "tenths": false,
      "words": "%s days"
    }
  ]
};
