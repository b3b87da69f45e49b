select cast(ordered_at as date) as day, sum(amount) as revenue, count(*) as orders
from {{ ref('orders') }}
group by 1
