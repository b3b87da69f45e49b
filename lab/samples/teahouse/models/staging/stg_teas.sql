select tea_id, tea_name, nullif(origin, '') as origin, price_per_100g
from {{ ref('raw_teas') }}
