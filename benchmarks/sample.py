"""The webhook that the benchmarks send, signed with `SECRET`."""

import hashlib
import hmac

SECRET = "benchmark"

BODY = (
    b'{"accountId": 1, "webhookId": "wsu_12345abcde", "eventId": "wev_2L6ZDoilyiWzKkSA59Gmc2d7FDD",'
    b' "timestamp": "2023-01-31T19:29:35.789265936Z", "eventType": "job.run.completed",'
    b' "webhookName": "test", "data": {"jobId": "123", "jobName": "Daily Job (dbt build)",'
    b' "runId": "12345", "environmentId": "1234", "environmentName": "Production",'
    b' "dbtVersion": "1.0.0", "projectName": "Snowflake Github Demo", "projectId": "167194",'
    b' "runStatus": "Success", "runStatusCode": 10, "runStatusMessage": "None",'
    b' "runReason": "Kicked off from UI by test@test.com",'
    b' "runStartedAt": "2023-01-31T19:28:07Z", "runFinishedAt": "2023-01-31T19:29:32Z"}}'
)

SIGNATURE = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()

REQUEST = (
    f"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {SIGNATURE}\r\n"
    f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
).encode() + BODY
