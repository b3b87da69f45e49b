select customer_id, customer_name, joined_on
from {{ ref('raw_customers') }}
